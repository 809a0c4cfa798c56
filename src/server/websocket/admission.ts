/** Which operations of a connection may run. */
import type { GraphQLError } from "graphql";
import type { Config } from "../../config/config.ts";
import type { Caller } from "../../graphql/caller.ts";
import type { Context, Operation } from "../../graphql/context.ts";
import { rateLimited } from "../../graphql/errors.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Connection } from "./connection.ts";
import { overLimit } from "./operation-limits.ts";
import { RefusedOperations } from "./refused-operations.ts";

export class Admission {
  readonly #operations: Operations;
  readonly #config: Pick<Config, "MAX_SUBSCRIPTIONS" | "MAX_PAYLOAD_SIZE" | "RATE_LIMIT_OPERATIONS">;

  constructor(
    operations: Operations,
    config: Pick<Config, "MAX_SUBSCRIPTIONS" | "MAX_PAYLOAD_SIZE" | "RATE_LIMIT_OPERATIONS">,
  ) {
    this.#operations = operations;
    this.#config = config;
  }

  /**
   * Resolves to what an operation is to run with, or to the errors that end it and leave the socket alone.
   *
   * @param operation as it was prepared, or what is wrong with it.
   * @param callerOf is called where it may run so far; the caller is released where it may not.
   */
  async admit(
    connection: Connection,
    operation: Operation | readonly GraphQLError[],
    callerOf: (operation: Operation) => Caller,
  ): Promise<Context | readonly GraphQLError[]> {
    const operations = this.#operations;
    const errors = "type" in operation ? overLimit(connection, operation, this.#config) : operation;
    if (errors && "type" in operation) operations.statistics.count(operation.type, "OPERATION_LIMIT");
    if (errors || !("type" in operation)) return (await this.#charge(connection, connection, 1)) ?? errors ?? [];
    const context = operations.context(operation, callerOf(operation));
    const refusal = await this.#charge(connection, context.caller, operation.cost);
    if (!refusal) return context;
    context.caller.release();
    return refusal;
  }

  /** What is refused for another reason is charged too: it has been read. */
  async #charge(
    connection: Connection,
    caller: Pick<Caller, "client" | "identity">,
    cost: number,
  ): Promise<readonly GraphQLError[] | undefined> {
    const retryAfterMs = await this.#operations.admit(caller, cost);
    if (retryAfterMs === 0) return undefined;
    connection.refused ??= new RefusedOperations(this.#config.RATE_LIMIT_OPERATIONS.count);
    const goesOn = connection.refused.add(cost, retryAfterMs);
    if (goesOn) connection.onFlood("Too many operations");
    return [rateLimited(retryAfterMs)];
  }
}
