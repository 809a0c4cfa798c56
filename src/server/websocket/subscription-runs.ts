/** Runs the subscriptions of WebSockets; graphql-ws, which runs the rest, would keep a suspended iteration for each of them. */
import { OperationTypeNode, type GraphQLError } from "graphql";
import { MessageType, parseMessage, type SubscribePayload } from "graphql-ws";
import type { Operation } from "../../graphql/context.ts";
import { toClientError } from "../../graphql/errors.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Admission } from "./admission.ts";
import type { Connection } from "./connection.ts";
import { errorMessage, idText } from "./frames.ts";
import { asSourceError, LiveSubscription } from "./live-subscription.ts";
import { discard, type ParsedMessage } from "./messages.ts";

type Prepared = Operation | readonly GraphQLError[];

export class SubscriptionRuns {
  readonly #operations: Operations;
  readonly #admission: Admission;
  readonly #onFailure: (connection: Connection, error: unknown) => void;
  /** What was prepared and is no subscription, by the payload that graphql-ws passes on. */
  readonly #others = new WeakMap<object, Prepared>();

  /** @param onFailure is called where a defect ends a subscription. */
  constructor(
    operations: Operations,
    admission: Admission,
    onFailure: (connection: Connection, error: unknown) => void,
  ) {
    this.#operations = operations;
    this.#admission = admission;
    this.#onFailure = onFailure;
  }

  /**
   * Begins a subscription, whose end the connection's inbox is told. False where the message is none, or of a client whose connection
   * is not acknowledged: it is for graphql-ws.
   */
  take(connection: Connection, id: string, message: ParsedMessage): boolean {
    const payload = connection.session && payloadOf(message);
    if (!payload) return false;
    const prepared = this.#prepare(connection, payload);
    if (!("type" in prepared) || prepared.type !== OperationTypeNode.SUBSCRIPTION) {
      this.#others.set(payload, prepared);
      return false;
    }
    discard(payload);
    this.#run(connection, id, prepared).catch((error: unknown) => {
      connection.inbox.ended(id);
      this.#onFailure(connection, error);
    });
    return true;
  }

  /** What the payload of a message that was not taken asks for. */
  prepared(connection: Connection, payload: SubscribePayload): Prepared {
    return this.#others.get(payload) ?? this.#prepare(connection, payload);
  }

  #prepare({ session, client }: Connection, payload: SubscribePayload): Prepared {
    return this.#operations.prepare(payload, { userId: session?.user.id, client });
  }

  async #run(connection: Connection, id: string, prepared: Operation): Promise<void> {
    const operations = this.#operations;
    const admitted = await this.#admission.admit(
      connection,
      prepared,
      (operation) => new LiveSubscription(operations, connection, operation, id),
    );
    if (!("caller" in admitted)) return refuse(connection, id, admitted);
    const result = await operations.subscribeShared(admitted);
    const { caller: subscription } = admitted;
    if (!(subscription instanceof LiveSubscription)) throw new Error("a subscription runs for another caller");
    if ("stream" in result) subscription.pipe(result);
    else if (Symbol.asyncIterator in result) await subscription.iterate(result);
    else refuse(connection, id, [asSourceError(toClientError(result.errors?.[0], admitted))]);
  }
}

/** Undefined where the protocol has no such message. */
function payloadOf(message: ParsedMessage): SubscribePayload | undefined {
  try {
    const parsed = parseMessage(message);
    return parsed.type === MessageType.Subscribe ? parsed.payload : undefined;
  } catch {
    return undefined;
  }
}

function refuse(connection: Connection, id: string, errors: readonly GraphQLError[]): void {
  const { inbox } = connection;
  if (connection.isOpen && !inbox.isCompleted(id)) connection.outbox.send(errorMessage(idText(id), errors));
  inbox.ended(id);
}
