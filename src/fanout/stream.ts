/** A stream of events: what a subscription field answers with, once its viewer is admitted. */
import type { Position } from "../bus/position.ts";
import type { EventOf, EventType } from "../chat/events/registry.ts";
import type { Session } from "../chat/session.ts";
import { EventQueue } from "./event-queue.ts";
import type { Sink, StreamState } from "./sink.ts";
import type { Subscriber } from "./subscriber.ts";

/** What one subscription receives. */
export interface StreamSpec<Type extends EventType> {
  readonly type: Type;
  readonly session: Session;
  /** Undefined: every chat of the viewer, those joined later included. */
  readonly chatId: string | undefined;
}

/** Adds and removes subscriptions. */
export interface SubscriberSet {
  /** Resolves when every event that is published from then on reaches the subscriber. Its viewer was admitted. */
  add(subscriber: Subscriber): Promise<void>;
  /** Harmless when repeated. */
  remove(subscriber: Subscriber): void;
  /** The present state could not be read whole: {@link Subscriber.refresh} is called in a moment. */
  refreshLater(subscriber: Subscriber): void;
}

/**
 * Has one reader, which iterates it, or is a {@link Sink}. It receives events from `open` on, not from the first `next()`, so that
 * nothing between the two is lost. A slow reader costs bounded memory.
 */
export abstract class Stream<Type extends EventType = EventType>
  implements AsyncIterableIterator<EventOf<Type>>, Subscriber
{
  readonly type: Type;
  readonly session: Session;
  readonly chatId: string | undefined;
  protected sink: Sink | undefined;
  /** The sink of a reader that iterates. */
  protected queue: EventQueue<EventOf<Type>> | undefined;
  protected isDone = false;
  protected readonly subscribers: SubscriberSet;
  #onState: ((state: StreamState) => void) | undefined;
  #error: Error | undefined;

  constructor(subscribers: SubscriberSet, { type, session, chatId }: StreamSpec<Type>) {
    this.subscribers = subscribers;
    this.type = type;
    this.session = session;
    this.chatId = chatId;
  }

  /** Events that wait for a reader that iterates, at most. */
  protected abstract get queueCapacity(): number;

  /** What its first events are, where it misses none. */
  get startedWith(): string | undefined {
    return undefined;
  }

  abstract deliver(event: EventOf<Type>, position: Position | undefined): void;
  abstract joined(chatId: string, since: Position): void;
  abstract refresh(chatId?: string): Promise<void>;
  abstract busLost(): void;
  abstract busRestored(): void;
  /** The sink can take more. */
  abstract resume(): void;
  abstract forget(chatId: string): void;

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Begins to receive events. Rejects as the bus does; the stream has ended then. */
  async open(): Promise<void> {
    try {
      await this.subscribers.add(this);
      await this.prepare();
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  /** Gets ready what comes first. */
  protected abstract prepare(): Promise<void>;

  /** Hands the stream over to a sink: what waits comes first. */
  pipe(sink: Sink): void {
    this.sink = sink;
    if (this.isDone) sink.end(this.#error);
    else this.begin();
  }

  /** There is a sink. */
  protected abstract begin(): void;

  /** Where the stream stands, for a reader that iterates: told when it has taken the events before. Call it before the first `next`. */
  watchStates(onState: (state: StreamState) => void): void {
    this.#onState = onState;
  }

  /** Ends the stream. */
  end(error?: Error): void {
    if (this.isDone) return;
    this.isDone = true;
    this.#error = error;
    this.subscribers.remove(this);
    this.close();
    this.sink?.end(error);
  }

  /** The stream has ended. */
  protected abstract close(): void;

  next(): Promise<IteratorResult<EventOf<Type>, undefined>> {
    if (!this.queue) {
      const onRoom = (): void => this.resume();
      const onState = (state: StreamState): void => this.#onState?.(state);
      this.queue = new EventQueue<EventOf<Type>>(this.queueCapacity, this.session.memory, onRoom, onState);
      this.pipe(this.queue);
    }
    return this.queue.next();
  }

  /** The reader has gone. Resolves at once, whatever the stream is waiting for. */
  async return(): Promise<IteratorResult<EventOf<Type>, undefined>> {
    this.queue?.clear();
    this.end();
    return { done: true, value: undefined };
  }
}
