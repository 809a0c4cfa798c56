/** The one pipeline through which every operation goes, over whatever transport it came. */
import { randomUUID } from "node:crypto";
import { complexityFromQuery } from "@pothos/plugin-complexity";
import {
  createSourceEventStream,
  execute,
  getOperationAST,
  GraphQLError,
  Kind,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from "graphql";
import { GatewayError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Caller, Context, Operation, Services } from "./context.ts";
import { Documents } from "./documents.ts";
import { documentError, requestError, toClientError, toClientErrors } from "./errors.ts";
import { createLoaders } from "./loaders.ts";

/** Levels of fields in one operation. The deepest sensible one here has seven. */
const MAX_DEPTH = 12;
/** The sum of what an operation's fields cost, lists counted with the length asked for. */
const MAX_COMPLEXITY = 50_000;

/** An operation as a client sends it. */
export interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

interface OperationsOptions {
  readonly schema: GraphQLSchema;
  readonly introspection: boolean;
  readonly services: Services;
  readonly log: Log;
}

export class Operations {
  readonly schema: GraphQLSchema;
  readonly #documents: Documents;
  readonly #services: Services;
  readonly #log: Log;

  constructor({ schema, introspection, services, log }: OperationsOptions) {
    this.schema = schema;
    this.#documents = new Documents(schema, introspection);
    this.#services = services;
    this.#log = log;
  }

  /** Makes an operation ready to run for `caller`, who is released when it is over. */
  context(operation: Operation, caller: Caller): Context {
    return {
      operation,
      caller,
      services: this.#services,
      loaders: createLoaders(caller, this.#services),
      requestId: randomUUID(),
      log: this.#log,
    };
  }

  /** Reads a request: the operation, or what is wrong with it. Never throws. */
  prepare(request: OperationRequest): Operation | readonly GraphQLError[] {
    const parsed = this.#documents.read(request.query);
    if ("errors" in parsed) return parsed.errors;
    const { document } = parsed;
    const operationName = request.operationName ?? undefined;
    const operation = getOperationAST(document, operationName);
    if (!operation) {
      const message =
        operationName === undefined ? "Say which operation to run." : "There is no operation of that name.";
      return [documentError("GRAPHQL_VALIDATION_FAILED", message)];
    }
    const variables = request.variables ?? undefined;
    const refusal = this.#refuse(document, operation, variables);
    return refusal ? [refusal] : { type: operation.operation, document, operationName, variables };
  }

  /** Runs a query or a mutation. Its errors are the client's. Never rejects. */
  async execute(context: Context): Promise<ExecutionResult> {
    try {
      return finish(await execute(this.#arguments(context)), context);
    } catch (error) {
      return { errors: [toClientError(error, context)] };
    } finally {
      context.caller.release();
    }
  }

  /**
   * Starts a subscription. The results that it yields never carry errors: where one cannot be made, or the gateway ends the
   * stream, the iteration rejects with the client's error, once. Resolves to a result with errors where it may not start.
   */
  async subscribe(context: Context): Promise<AsyncGenerator<ExecutionResult, void, undefined> | ExecutionResult> {
    const args = this.#arguments(context);
    try {
      const source = await createSourceEventStream(args);
      if (Symbol.asyncIterator in source) return new ResultStream(source[Symbol.asyncIterator](), args, context);
      context.caller.release();
      return finish(source, context);
    } catch (error) {
      context.caller.release();
      return { errors: [toClientError(error, context)] };
    }
  }

  #arguments(contextValue: Context): ExecutionArgs {
    const { document, operationName, variables } = contextValue.operation;
    return { schema: this.schema, document, operationName, variableValues: variables, contextValue };
  }

  /** Computed with the variables of this very request, and outside validation, which is cached. */
  #refuse(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Operation["variables"],
  ): GraphQLError | undefined {
    let cost: { depth: number; complexity: number };
    try {
      cost = complexityFromQuery(alone(operation, document), {
        schema: this.schema,
        ctx: {},
        ...(variables === undefined ? {} : { variables: { ...variables } }),
      });
    } catch (error) {
      // Variables of the wrong types end the whole execution, which says so better.
      if (!(error instanceof GraphQLError) || error.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION) return undefined;
      // An argument without a value would fail its own field alone, and nobody knows what the others cost.
      return requestError(error);
    }
    if (cost.depth > MAX_DEPTH) {
      return documentError("OPERATION_LIMIT", `The operation is ${cost.depth} levels deep; ${MAX_DEPTH} are allowed.`);
    }
    if (cost.complexity <= MAX_COMPLEXITY) return undefined;
    return documentError(
      "OPERATION_LIMIT",
      `The operation costs ${cost.complexity}; ${MAX_COMPLEXITY} are allowed. Ask for less at once.`,
    );
  }
}

/** The document without its other operations: what is computed is the cost of its first one. */
function alone(operation: OperationDefinitionNode, { kind, definitions }: DocumentNode): DocumentNode {
  const fragments = definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  return { kind, definitions: [operation, ...fragments] };
}

function finish(result: ExecutionResult, context: Context): ExecutionResult {
  return result.errors ? { ...result, errors: toClientErrors(result.errors, context) } : result;
}

/** Each event of a source, executed. An object of its own rather than an async generator: `return` has to act while `next` waits. */
class ResultStream implements AsyncGenerator<ExecutionResult, void, undefined> {
  readonly #source: AsyncIterator<unknown>;
  readonly #args: ExecutionArgs;
  readonly #context: Context;

  constructor(source: AsyncIterator<unknown>, args: ExecutionArgs, context: Context) {
    this.#source = source;
    this.#args = args;
    this.#context = context;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async next(): Promise<IteratorResult<ExecutionResult, void>> {
    try {
      const event = await this.#source.next();
      if (event.done) return await this.return();
      const result = await execute({ ...this.#args, rootValue: event.value });
      const [error] = result.errors ?? [];
      if (!error) return { done: false, value: result };
      // A result with errors would stay with some clients for ever: it ends the stream instead.
      throw new GatewayError("INTERNAL_SERVER_ERROR", { cause: error });
    } catch (error) {
      await this.return();
      throw toClientError(error, this.#context);
    }
  }

  async return(): Promise<IteratorResult<ExecutionResult, void>> {
    this.#context.caller.release();
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult, void>> {
    await this.return();
    throw error;
  }
}
