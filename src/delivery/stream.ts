/** A stream of events: what a subscription field answers with, once its viewer is admitted. */
import type { EventLog } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import {
  chatTopic,
  topicOf,
  type BusEvent,
  type DeliveredEvent,
  type EventOf,
  type EventType,
} from "../chat/events.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError } from "../errors.ts";
import { CatchUp } from "./catch-up.ts";
import type { Fanout, Subscriber } from "./fanout.ts";

/** Events that wait for an iterating reader at most, where none may be left out. */
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
   * waits. Without it every event counts.
   */
  readonly stateOf?: (event: EventOf<Type>) => { readonly key: string; readonly value: boolean };
}

/** Takes the events of a stream as they come, instead of iterating it. */
export interface Sink {
  /** Whether it can take no more for now. It then calls {@link Stream.resume} when it can. */
  readonly isLagging: boolean;
  write(event: DeliveredEvent): void;
  /** Once: the stream has ended, with an error where the gateway ended it for a reason that the client is told. */
  end(error: Error | undefined): void;
}

/**
 * Has one reader, which iterates it, or is a {@link Sink}. It is fed from {@link openStream} on, not from the first `next()`, so
 * that nothing between the two is lost. A reader too slow to be given every event of a kind that counts is caught up from the
 * log if it is a sink, and ends with CURSOR_EXPIRED if it iterates.
 */
export class Stream<Type extends EventType = EventType> implements AsyncIterableIterator<EventOf<Type>>, Subscriber {
  readonly spec: StreamSpec<Type>;
  readonly #fanout: Fanout;
  readonly #log: EventLog<BusEvent>;
  /** What waits for the reader: of states the latest, by key. Made when something has to wait. */
  #queue: Map<unknown, EventOf<Type>> | undefined;
  /** The keys whose state the reader knows to be true, where a stream is of states; of all others it is false. */
  #known: Set<string> | undefined;
  /** For each snapshot that is being read, the keys of the events that came meanwhile: they know better than it. */
  #newer: Set<Set<string>> | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<EventOf<Type>, undefined>> | undefined;
  #sink: Sink | undefined;
  #catchUp: CatchUp | undefined;
  #error: Error | undefined;
  #done = false;

  constructor(fanout: Fanout, log: EventLog<BusEvent>, spec: StreamSpec<Type>) {
    this.#fanout = fanout;
    this.#log = log;
    this.spec = spec;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Called by the fan-out for every event that this subscription's topics bring. */
  deliver(event: EventOf<Type>, position: Position | undefined): void {
    if (this.#done || !this.spec.takes(event)) return;
    const state = this.spec.stateOf?.(event);
    if (state) this.#deliverState(event, state.key, state.value);
    else if (this.#sink) this.#offer(this.#sink, event, position);
    else this.#enqueueAll(event);
  }

  /**
   * The viewer has joined a chat: what is true there and unknown to the reader comes now. What is true no more, since it ended
   * while the viewer was in none of the chats that tell of it, counts as unknown. Rejects as the snapshot does.
   */
  async refresh(): Promise<void> {
    const { snapshot, stateOf } = this.spec;
    if (!snapshot || !stateOf) return;
    const newer = new Set<string>();
    this.#newer ??= new Set();
    this.#newer.add(newer);
    try {
      const present = new Map((await snapshot()).map((event) => [stateOf(event).key, event]));
      for (const key of this.#known ?? []) if (!present.has(key) && !newer.has(key)) this.#known?.delete(key);
      for (const [key, event] of present) if (!newer.has(key)) this.deliver(event, undefined);
    } finally {
      this.#newer.delete(newer);
    }
  }

  /** Hands the stream over to a sink: what waits comes first. */
  pipe(sink: Sink): void {
    this.#sink = sink;
    this.#flush();
    if (this.#done) sink.end(this.#error);
  }

  /** The sink can take more: it gets the latest states, and what it has missed. */
  resume(): void {
    this.#flush();
    this.#catchUp?.run().catch((error: unknown) => this.end(error instanceof Error ? error : new Error(String(error))));
  }

  /** The viewer has left a chat: what it has missed there, and what waits, is not for it any more. */
  forget(chatId: string): void {
    this.#catchUp?.forget(chatTopic(chatId));
    for (const [key, event] of this.#queue ?? []) {
      if (!("chatId" in event) || event.chatId !== chatId) continue;
      this.#queue?.delete(key);
      // After coming back it is told anew.
      if (typeof key === "string") this.#known?.delete(key);
    }
  }

  /** Ends the stream. What waits for an iterating reader is delivered before, but not to one that is no longer to have it. */
  end(error?: Error): void {
    if (this.#done) return;
    this.#done = true;
    if (error) this.#queue = undefined;
    this.#error = error;
    this.#fanout.remove(this);
    this.#sink?.end(error);
    if (this.#waiting) this.#settle(this.#waiting);
  }

  next(): Promise<IteratorResult<EventOf<Type>, undefined>> {
    const waiting = Promise.withResolvers<IteratorResult<EventOf<Type>, undefined>>();
    if (this.#queue?.size || this.#done) this.#settle(waiting);
    else this.#waiting = waiting;
    return waiting.promise;
  }

  /** The reader has gone. Resolves at once, whatever the stream is waiting for. */
  async return(): Promise<IteratorResult<EventOf<Type>, undefined>> {
    this.#queue = undefined;
    this.end();
    return { done: true, value: undefined };
  }

  #deliverState(event: EventOf<Type>, key: string, value: boolean): void {
    for (const keys of this.#newer ?? []) keys.add(key);
    this.#known ??= new Set();
    if (this.#known.has(key) === value) return;
    if (value) this.#known.add(key);
    else this.#known.delete(key);
    if (this.#sink && !this.#sink.isLagging && !this.#queue?.size) {
      this.#sink.write(event);
      return;
    }
    // To the end of the queue, where it stands in time.
    this.#queue?.delete(key);
    this.#enqueue(key, event);
  }

  /** To a sink: now, or later out of the log. Events that count are of chats, and kept. */
  #offer(sink: Sink, event: EventOf<Type>, position: Position | undefined): void {
    // What waits from before the sink took the stream is older.
    const mayWrite = !sink.isLagging && !this.#queue?.size;
    if (!this.#catchUp && mayWrite) sink.write(event);
    else if (position !== undefined) {
      this.#catchUp ??= new CatchUp(this.#log, this.#catchUpTarget(sink));
      if (this.#catchUp.admit(topicOf(event), position, mayWrite)) sink.write(event);
    }
  }

  #catchUpTarget(sink: Sink): ConstructorParameters<typeof CatchUp>[1] {
    return {
      get isLagging() {
        return sink.isLagging;
      },
      write: (event) => {
        if (!this.#done && isOfType(event, this.spec.type) && this.spec.takes(event)) sink.write(event);
      },
    };
  }

  #flush(): void {
    while (this.#sink && !this.#sink.isLagging) {
      const event = this.#shift();
      if (!event) return;
      this.#sink.write(event);
    }
  }

  #enqueueAll(event: EventOf<Type>): void {
    if ((this.#queue?.size ?? 0) < MAX_QUEUE) {
      this.#enqueue(event, event);
      return;
    }
    this.end(new GatewayError("CURSOR_EXPIRED", { message: "This connection is too slow to follow the chat." }));
  }

  #enqueue(key: unknown, event: EventOf<Type>): void {
    this.#queue ??= new Map();
    this.#queue.set(key, event);
    if (this.#waiting) this.#settle(this.#waiting);
  }

  #shift(): EventOf<Type> | undefined {
    const [head] = this.#queue ?? [];
    if (!head) return undefined;
    this.#queue?.delete(head[0]);
    return head[1];
  }

  #settle({ resolve, reject }: PromiseWithResolvers<IteratorResult<EventOf<Type>, undefined>>): void {
    this.#waiting = undefined;
    const event = this.#shift();
    if (event) resolve({ done: false, value: event });
    else if (this.#error) {
      reject(this.#error);
      this.#error = undefined;
    } else resolve({ done: true, value: undefined });
  }
}

function isOfType<Type extends EventType>(event: BusEvent, type: Type): event is EventOf<Type> {
  return event.type === type;
}

/**
 * A stream that is already fed, and starts with its snapshot. An event that arrives while the snapshot is being read is newer
 * than it, or is in it: what the reader knows already is not said twice.
 */
export async function openStream<Type extends EventType>(
  fanout: Fanout,
  log: EventLog<BusEvent>,
  spec: StreamSpec<Type>,
): Promise<Stream<Type>> {
  const stream = new Stream(fanout, log, spec);
  try {
    await fanout.add(stream);
    await stream.refresh();
    return stream;
  } catch (error) {
    await stream.return();
    throw error;
  }
}
