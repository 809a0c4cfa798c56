/** A stream of events: what a subscription field answers with, once its viewer is admitted. */
import type { EventOf, EventType } from "../chat/events.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError } from "../errors.ts";
import type { Fanout, Subscriber } from "./fanout.ts";

/** Events that wait for a reader at most, where none may be left out. */
const MAX_QUEUE = 1000;

/** What one subscription is to get. */
export interface StreamSpec<Type extends EventType> {
  readonly type: Type;
  readonly session: Session;
  /** Undefined: every chat of the viewer, those joined later included. */
  readonly chatId: string | undefined;
  /** Whether the viewer is to see an event: one's own typing is none. Asked at every event, in constant time. */
  readonly takes: (event: EventOf<Type>) => boolean;
  /** All of the present state, which comes first; of a stream of states alone. */
  readonly snapshot?: () => Promise<readonly EventOf<Type>[]>;
  /**
   * What an event is the state of, where only the latest state matters: a newer event of the same key replaces one that still
   * waits. Without it every event is kept, and a reader too slow for that ends with CURSOR_EXPIRED.
   */
  readonly stateOf?: (event: EventOf<Type>) => { readonly key: string; readonly value: boolean };
}

/**
 * Iterated by one reader. It is fed from {@link openStream} on, not from the first `next()`, so that nothing between the two is
 * lost. Rejects once with a GatewayError where the gateway ends it.
 */
export class Stream<Type extends EventType> implements AsyncIterableIterator<EventOf<Type>>, Subscriber {
  readonly spec: StreamSpec<Type>;
  readonly #fanout: Fanout;
  readonly #queue = new Map<unknown, EventOf<Type>>();
  /** The keys whose state the reader knows to be true, where a stream is of states; of all others it is false. */
  readonly #known = new Set<string>();
  /** For each snapshot that is being read, the keys of the events that came meanwhile: they know better than it. */
  readonly #newer = new Set<Set<string>>();
  #waiting: PromiseWithResolvers<IteratorResult<EventOf<Type>, undefined>> | undefined;
  #error: GatewayError | undefined;
  #done = false;

  constructor(fanout: Fanout, spec: StreamSpec<Type>) {
    this.#fanout = fanout;
    this.spec = spec;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Called by the fan-out for every event that this subscription's topics bring. */
  deliver(event: EventOf<Type>): void {
    if (this.#done || !this.spec.takes(event)) return;
    const state = this.spec.stateOf?.(event);
    if (!state) {
      if (this.#queue.size >= MAX_QUEUE) {
        this.#queue.clear();
        this.end(new GatewayError("CURSOR_EXPIRED", { message: "This connection is too slow to follow the chat." }));
      } else this.#enqueue(event, event);
      return;
    }
    for (const keys of this.#newer) keys.add(state.key);
    if (this.#known.has(state.key) !== state.value) {
      if (state.value) this.#known.add(state.key);
      else this.#known.delete(state.key);
      // To the end of the queue, where it stands in time.
      this.#queue.delete(state.key);
      this.#enqueue(state.key, event);
    }
  }

  /**
   * The viewer has joined a chat: what is true there and unknown to the reader comes now. What is true no more, since it ended
   * while the viewer was in none of the chats that tell of it, counts as unknown. Rejects as the snapshot does.
   */
  async refresh(): Promise<void> {
    const { snapshot, stateOf } = this.spec;
    if (!snapshot || !stateOf) return;
    const newer = new Set<string>();
    this.#newer.add(newer);
    try {
      const present = new Map((await snapshot()).map((event) => [stateOf(event).key, event]));
      for (const key of this.#known) if (!present.has(key) && !newer.has(key)) this.#known.delete(key);
      for (const [key, event] of present) if (!newer.has(key)) this.deliver(event);
    } finally {
      this.#newer.delete(newer);
    }
  }

  /** Ends the stream; what waits is delivered before. */
  end(error?: GatewayError): void {
    if (this.#done) return;
    this.#done = true;
    this.#error = error;
    this.#fanout.remove(this);
    if (this.#waiting) this.#settle(this.#waiting);
  }

  next(): Promise<IteratorResult<EventOf<Type>, undefined>> {
    const waiting = Promise.withResolvers<IteratorResult<EventOf<Type>, undefined>>();
    if (this.#queue.size > 0 || this.#done) this.#settle(waiting);
    else this.#waiting = waiting;
    return waiting.promise;
  }

  /** The reader has gone. Resolves at once, whatever the stream is waiting for. */
  async return(): Promise<IteratorResult<EventOf<Type>, undefined>> {
    this.#queue.clear();
    this.end();
    return { done: true, value: undefined };
  }

  #enqueue(key: unknown, event: EventOf<Type>): void {
    this.#queue.set(key, event);
    if (this.#waiting) this.#settle(this.#waiting);
  }

  #settle({ resolve, reject }: PromiseWithResolvers<IteratorResult<EventOf<Type>, undefined>>): void {
    this.#waiting = undefined;
    const [head] = this.#queue;
    if (head) {
      this.#queue.delete(head[0]);
      resolve({ done: false, value: head[1] });
    } else if (this.#error) {
      reject(this.#error);
      this.#error = undefined;
    } else resolve({ done: true, value: undefined });
  }
}

/**
 * A stream that is already fed, and starts with its snapshot. An event that arrives while the snapshot is being read is newer
 * than it, or is in it: what the reader knows already is not said twice.
 */
export async function openStream<Type extends EventType>(
  fanout: Fanout,
  spec: StreamSpec<Type>,
): Promise<Stream<Type>> {
  const stream = new Stream(fanout, spec);
  try {
    await fanout.add(stream);
    await stream.refresh();
    return stream;
  } catch (error) {
    await stream.return();
    throw error;
  }
}
