/** A running subscription of a WebSocket. */
import { GraphQLError, type ExecutionResult } from "graphql";
import type { DeliveredEvent } from "../../chat/events/registry.ts";
import type { Sink, StreamState } from "../../fanout/sink.ts";
import type { Stream } from "../../fanout/stream.ts";
import type { Operation } from "../../graphql/context.ts";
import { toClientError } from "../../graphql/errors.ts";
import type { Operations, SharedSubscription } from "../../graphql/operations.ts";
import type { Results } from "../../graphql/result-stream.ts";
import type { Selection } from "../../graphql/selections.ts";
import type { Connection } from "./connection.ts";
import { ConnectionCaller } from "./connection-caller.ts";
import type { RunningOperation } from "./inbox.ts";
import type { Outbox } from "./outbox.ts";
import { completeMessage, errorMessage, idText, nextMessage, stateMessage } from "./frames.ts";

/**
 * One object for all of it, since an idle connection has several: the caller, and where the results go. Results that equal subscriptions
 * share go from the stream to the outbox as they come; others are iterated.
 */
export class LiveSubscription extends ConnectionCaller implements Sink, RunningOperation {
  readonly #operations: Operations;
  /** Kept here because reading another object on every write doubles the cost of a write. */
  readonly #outbox: Outbox;
  readonly #text: string;
  #stream: Stream | undefined;
  #selection: Selection | undefined;
  #results: Results | undefined;
  #isOver = false;
  wasCompleted = false;

  /** @param id of the `subscribe` message. */
  constructor(operations: Operations, connection: Connection, operation: Operation, id: string) {
    super(connection, operation, id);
    this.#operations = operations;
    this.#outbox = connection.outbox;
    this.#text = idText(id);
  }

  get isOwn(): boolean {
    return true;
  }

  get isLagging(): boolean {
    return this.#outbox.isLagging;
  }

  get isTurnOver(): boolean {
    return this.#outbox.isTurnOver;
  }

  /** Has the results of a stream written as they come. */
  pipe({ stream, selection }: SharedSubscription): void {
    this.#selection = selection;
    if (!this.#begin()) {
      stream.end();
      this.end(undefined);
      return;
    }
    this.#stream = stream;
    if (stream.startedWith !== undefined) this.connection.noteStart(stream.startedWith);
    stream.pipe(this);
  }

  /** Writes results one after the other, as fast as the client reads. Resolves when it is over; never rejects. */
  async iterate(results: Results): Promise<void> {
    const { connection } = this;
    if (!this.#begin()) {
      await results.return();
      this.#finish();
      return;
    }
    this.#results = results;
    if (results.startedWith !== undefined) connection.noteStart(results.startedWith);
    if (connection.wantsStates) results.watchStates((state) => this.state(state));
    try {
      for await (const result of results) await this.#write(result);
      this.#finish();
    } catch (error) {
      this.#finish(asSourceError(toClientError(error, this.#operations.context(this.operation, this))));
    }
  }

  write(event: DeliveredEvent): void {
    const rendered = this.#selection?.render(event);
    if (!rendered) return;
    // Some clients would show a result with errors for ever: it ends the subscription instead.
    if ("error" in rendered) this.#stream?.end(rendered.error);
    else this.#outbox.next(this.#text, rendered.payload);
  }

  state(state: StreamState): void {
    if (this.connection.wantsStates) this.#outbox.send(stateMessage(this.#text, state));
  }

  /** The connection has room again. */
  resume(): void {
    this.#stream?.resume();
  }

  /** The client wants no more, or is gone. */
  complete(): void {
    this.#stream?.end();
    // The iteration ends with it.
    void this.#results?.return();
  }

  /** The stream has ended. */
  end(error: Error | undefined): void {
    if (this.#isOver) return;
    const context = error && this.#operations.context(this.operation, this);
    this.#selection?.release();
    this.#selection = undefined;
    if (context) this.#finish(asSourceError(toClientError(error, context)));
    else this.#finish();
  }

  /** False where nobody waits for it any more. */
  #begin(): boolean {
    if (this.connection.points.isClosed || this.isCompleted) return false;
    this.connection.inbox.opened(this.id, this);
    return true;
  }

  /** Resolves when the next one may come, as {@link Connection.send} does. */
  async #write(result: ExecutionResult): Promise<void> {
    if (this.isCompleted || !this.connection.isOpen) return;
    const message = nextMessage(this.#text, JSON.stringify(result));
    if (this.isLagging) await new Promise<void>((resolve) => this.#outbox.event(message, resolve));
    else this.#outbox.event(message);
  }

  #finish(...errors: readonly GraphQLError[]): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { connection, isCompleted } = this;
    if (errors.some(isPassing)) this.suspend();
    this.release();
    if (!isCompleted && connection.isOpen) {
      connection.outbox.send(errors.length > 0 ? errorMessage(this.#text, errors) : completeMessage(this.#text));
    }
    connection.inbox.ended(this.id);
  }
}

/** Whether the same subscription may succeed soon: the REST API cannot be asked now. */
function isPassing({ extensions: { code } }: GraphQLError): boolean {
  return code === "UPSTREAM_UNAVAILABLE" || code === "UPSTREAM_TIMEOUT";
}

/** As graphql-ws tells the failure of a source: without the place in the document. */
export function asSourceError(error: GraphQLError): GraphQLError {
  // An error takes as long as ten deliveries, and a chat that is deleted ends many subscriptions in one turn.
  if (error.locations === undefined && error.path === undefined) return error;
  return new GraphQLError(error.message, { originalError: error });
}
