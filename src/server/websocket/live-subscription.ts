/** A subscription whose events are written to its socket as they come, without an iteration between. */
import type { ExecutionResult } from "graphql";
import type { DeliveredEvent } from "../../chat/events/registry.ts";
import type { Sink, StreamState } from "../../fanout/sink.ts";
import type { Stream } from "../../fanout/stream.ts";
import type { Context } from "../../graphql/context.ts";
import { toClientError } from "../../graphql/errors.ts";
import type { Selection } from "../../graphql/selections.ts";
import type { Connection } from "./connection.ts";
import { idText, stateMessage } from "./frames.ts";
import type { Outbox } from "./outbox.ts";

/**
 * What graphql-ws gets for such a subscription: results that never come. It waits until the stream ends, which completes the
 * operation or fails it, and ends the stream with `return` when the client completes it or is gone.
 */
export class LiveSubscription implements AsyncGenerator<ExecutionResult, void, undefined>, Sink {
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #stream: Stream;
  readonly #selection: Selection;
  readonly #id: string;
  readonly #context: Context;
  #waiting: PromiseWithResolvers<IteratorResult<ExecutionResult, void>> | undefined;
  #ended: { readonly error: Error | undefined } | undefined;

  constructor(
    connection: Connection,
    { stream, selection }: { readonly stream: Stream; readonly selection: Selection },
    id: string,
    context: Context,
  ) {
    this.#connection = connection;
    this.#outbox = connection.outbox;
    this.#stream = stream;
    this.#selection = selection;
    this.#id = idText(id);
    this.#context = context;
    connection.live.add(this);
    if (stream.startedWith !== undefined) connection.noteStart(stream.startedWith);
    stream.pipe(this);
  }

  get isLagging(): boolean {
    return this.#outbox.isLagging;
  }

  write(event: DeliveredEvent): void {
    const rendered = this.#selection.render(event);
    // Some clients would show a result with errors for ever: it ends the subscription instead.
    if ("error" in rendered) this.#stream.end(rendered.error);
    else this.#outbox.next(this.#id, rendered.payload);
  }

  state(state: StreamState): void {
    if (this.#connection.wantsStates) this.#outbox.send(stateMessage(this.#id, state));
  }

  /** The connection has room again. */
  resume(): void {
    this.#stream.resume();
  }

  end(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = { error: error && toClientError(error, this.#context) };
    this.#connection.live.delete(this);
    this.#selection.release();
    this.#context.caller.release();
    if (this.#waiting) this.#settle(this.#waiting, this.#ended.error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  next(): Promise<IteratorResult<ExecutionResult, void>> {
    const waiting = Promise.withResolvers<IteratorResult<ExecutionResult, void>>();
    if (this.#ended) this.#settle(waiting, this.#ended.error);
    else this.#waiting = waiting;
    return waiting.promise;
  }

  async return(): Promise<IteratorResult<ExecutionResult, void>> {
    await this.#stream.return();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult, void>> {
    await this.return();
    throw error;
  }

  #settle(
    { resolve, reject }: PromiseWithResolvers<IteratorResult<ExecutionResult, void>>,
    error: Error | undefined,
  ): void {
    this.#waiting = undefined;
    if (error) reject(error);
    else resolve({ done: true, value: undefined });
  }
}
