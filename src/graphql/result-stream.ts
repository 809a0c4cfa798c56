/** The results of a subscription whose every event is executed for one subscriber. */
import { execute, type ExecutionArgs, type ExecutionResult } from "graphql";
import { onBehalfOf } from "../call-origin.ts";
import { cursorAfter, isDelivered } from "../chat/events/registry.ts";
import { ChatListStream } from "../fanout/chat-list-stream.ts";
import type { StreamState } from "../fanout/sink.ts";
import { Stream } from "../fanout/stream.ts";
import type { Context } from "./context.ts";
import { toClientError } from "./errors.ts";
import type { FieldStatistics } from "./statistics.ts";

/** The results of a subscription. */
export interface Results extends AsyncGenerator<ExecutionResult, void, undefined> {
  /** From where the subscription goes on that has delivered what was taken last; undefined where clients cannot say so. */
  readonly cursor: string | undefined;
  /** What its first events are, where it misses none. */
  readonly startedWith: string | undefined;
  /** Results that were taken. */
  readonly delivered: number;
  /** Where the subscription stands, told when the results before have been taken. Call it before the first `next`. */
  watchStates(onState: (state: StreamState) => void): void;
}

/** Each event of a source, executed. An object of its own rather than an async generator: `return` has to act while `next` waits. */
export class ResultStream implements Results {
  readonly #source: AsyncIterator<unknown>;
  #event: unknown;
  #delivered = 0;
  readonly #args: ExecutionArgs;
  readonly #context: Context;
  /** Undefined when it is over. */
  #field: FieldStatistics | undefined;

  constructor(source: AsyncIterator<unknown>, args: ExecutionArgs, context: Context) {
    this.#source = source;
    this.#args = args;
    this.#context = context;
    this.#field = context.operation.field;
    if (this.#field) this.#field.subscriptions++;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  get cursor(): string | undefined {
    return isDelivered(this.#event) ? cursorAfter(this.#event, this.#context.services.cursors) : undefined;
  }

  get startedWith(): string | undefined {
    return this.#source instanceof Stream ? this.#source.startedWith : undefined;
  }

  get delivered(): number {
    return this.#delivered;
  }

  watchStates(onState: (state: StreamState) => void): void {
    if (this.#source instanceof Stream || this.#source instanceof ChatListStream) this.#source.watchStates(onState);
  }

  async next(): Promise<IteratorResult<ExecutionResult, void>> {
    try {
      const event = await this.#source.next();
      if (event.done) return await this.return();
      const { value: rootValue } = event;
      this.#event = rootValue;
      const contextValue = this.#context.forNextEvent();
      const result = await onBehalfOf(this.#context.origin, () => execute({ ...this.#args, rootValue, contextValue }));
      const [error] = result.errors ?? [];
      this.#count(error === undefined);
      // A result with errors would stay with some clients for ever: it ends the stream instead.
      if (error) throw error.originalError ?? error;
      this.#delivered++;
      return { done: false, value: result };
    } catch (error) {
      await this.return();
      throw toClientError(error, this.#context);
    }
  }

  #count(isRendered: boolean): void {
    if (!this.#field) return;
    this.#field.executions++;
    if (isRendered) this.#field.deliveries++;
  }

  async return(): Promise<IteratorResult<ExecutionResult, void>> {
    if (this.#field) this.#field.subscriptions--;
    this.#field = undefined;
    this.#context.caller.release();
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult, void>> {
    await this.return();
    throw error;
  }
}
