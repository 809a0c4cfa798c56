/** A stream of events: what a subscription field answers with, once its viewer is admitted. */
import { BusUnavailable, type EventLog, type Mark } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import {
  chatTopic,
  placed,
  topicOf,
  type BusEvent,
  type DeliveredEvent,
  type EventOf,
  type EventType,
} from "../chat/events.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError } from "../errors.ts";
import { CatchUp } from "../recovery/catch-up.ts";
import type { Fanout, Subscriber } from "./fanout.ts";
import { isCounted, type Replay } from "../recovery/replay.ts";
import { isOfChat, startsOf, WaitingEvents, type Waiting } from "./waiting.ts";

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
  /** What the client is to be given before anything new, if anything; of a stream whose events count. */
  readonly replay?: () => Promise<Replay | undefined>;
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
  /** What waits for the reader: of states the latest, by key. */
  readonly #queue = new WaitingEvents<EventOf<Type>>();
  /** What has come while the replay is being read. */
  #held: Waiting<EventOf<Type>>[] | undefined;
  /** What came first, for as long as something of it may come by again. */
  #replay: Replay | undefined;
  /** What an iterating reader was given last: it is done with it when it asks for the next one. */
  #inHand: Waiting<EventOf<Type>> | undefined;
  /** The keys whose state the reader knows to be true, where a stream is of states; of all others it is false. */
  #known: Set<string> | undefined;
  /** Of which it has been told something that may not be so any more: whatever is heard of them next is news. */
  #doubtful: Set<string> | undefined;
  /** For each snapshot that is being read, the keys of the events that came meanwhile: they know better than it. */
  #newer: Set<Set<string>> | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<EventOf<Type>, undefined>> | undefined;
  #sink: Sink | undefined;
  #catchUp: CatchUp | undefined;
  #maxQueue = MAX_QUEUE;
  #error: Error | undefined;
  #done = false;

  constructor(fanout: Fanout, log: EventLog<BusEvent>, spec: StreamSpec<Type>) {
    this.#fanout = fanout;
    this.#log = log;
    this.spec = spec;
    if (spec.replay) this.#held = [];
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Called by the fan-out for every event that this subscription's topics bring. */
  deliver(event: EventOf<Type>, position: Position | undefined): void {
    if (this.#done || !this.spec.takes(event)) return;
    const state = this.spec.stateOf?.(event);
    if (state) this.#deliverState(event, state.key, state.value);
    else if (this.#held) this.#hold({ event, position });
    else this.#deliverCounted(event, position);
  }

  /**
   * The viewer has joined a chat, or events went by unheard: what the reader does not know, or knows otherwise, comes now. What the
   * snapshot does not speak of counts as unknown. Rejects as the snapshot does.
   */
  async refresh(): Promise<void> {
    const { snapshot, stateOf } = this.spec;
    if (!snapshot || !stateOf) return;
    const newer = new Set<string>();
    this.#newer ??= new Set();
    this.#newer.add(newer);
    try {
      const present = new Map((await snapshot()).map((event) => [stateOf(event).key, event]));
      for (const key of this.#known ?? []) {
        if (!present.has(key) && !newer.has(key)) (this.#doubtful ??= new Set()).add(key);
      }
      for (const [key, event] of present) if (!newer.has(key)) this.deliver(event, undefined);
    } finally {
      this.#newer.delete(newer);
    }
  }

  /** Begins with what the client is to be given before anything new; what has come meanwhile follows. Rejects as the replay does. */
  async begin(): Promise<void> {
    if (!this.spec.replay) return;
    this.#replay = await this.spec.replay();
    const held = this.#held ?? [];
    this.#held = undefined;
    if (this.#done) return;
    for (const { event, position } of this.#replay?.takeEvents() ?? []) {
      // The viewer may have left the chat while the rest was being read.
      if (!this.spec.session.viewer.chats.has(event.chatId)) continue;
      if (isOfType(event, this.spec.type) && this.spec.takes(event)) this.#enqueue(event, event, position);
    }
    for (const { event, position } of held) {
      if (!this.#wasReplayed(event, position)) this.#enqueue(event, event, position);
    }
    // Those are there already; what a slow reader lets wait beside them is bounded as ever.
    this.#maxQueue += this.#queue.size;
  }

  /**
   * Where the reader stands: what it is still to be given comes after that. Undefined where that is no place in the log, since it
   * is being given what is in none.
   */
  mark(): Mark | undefined {
    if (this.#held) return undefined;
    const mark = this.#log.mark(this.#topics());
    const behind = this.#fanout.behind(this.#chatIds());
    // As nearly always, and it is asked for at every ping.
    if (!behind && !this.#inHand && !this.#catchUp && this.#queue.size === 0) return mark;
    const unread = startsOf([...(this.#inHand ? [this.#inHand] : []), ...this.#queue.values()]);
    if (!unread) return undefined;
    const missed = [...(this.#catchUp?.behind ?? [])].map(([topic, { after }]) => [topic, after] as const);
    // What waits in the queue is older than what the log is to be read for.
    return { base: mark.base, topics: { ...mark.topics, ...behind, ...Object.fromEntries(missed), ...unread } };
  }

  #chatIds(): Iterable<string> {
    const { chatId, session } = this.spec;
    return chatId === undefined ? session.viewer.chats.keys() : [chatId];
  }

  *#topics(): Generator<string> {
    for (const id of this.#chatIds()) yield chatTopic(id);
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
    this.#catchUp?.run().catch((error: unknown) => {
      // It is called again when the bus is back.
      if (error instanceof BusUnavailable) return;
      this.end(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** The viewer has left a chat: what it has missed there, and what waits, is not for it any more. */
  forget(chatId: string): void {
    this.#catchUp?.forget(chatTopic(chatId));
    this.#held = this.#held?.filter((held) => !isOfChat(held, chatId));
    for (const key of this.#queue.forget(chatId)) {
      // After coming back it is told anew.
      if (typeof key === "string") this.#known?.delete(key);
    }
  }

  /** Ends the stream. What waits for an iterating reader is delivered before, but not to one that is no longer to have it. */
  end(error?: Error): void {
    if (this.#done) return;
    this.#done = true;
    if (error) this.#queue.clear();
    this.#error = error;
    this.#fanout.remove(this);
    this.#sink?.end(error);
    if (this.#waiting) this.#settle(this.#waiting);
  }

  next(): Promise<IteratorResult<EventOf<Type>, undefined>> {
    const waiting = Promise.withResolvers<IteratorResult<EventOf<Type>, undefined>>();
    this.#inHand = undefined;
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

  #deliverState(event: EventOf<Type>, key: string, value: boolean): void {
    for (const keys of this.#newer ?? []) keys.add(key);
    this.#known ??= new Set();
    const isDoubtful = this.#doubtful?.delete(key) ?? false;
    if (this.#known.has(key) === value && !isDoubtful) return;
    if (value) this.#known.add(key);
    else this.#known.delete(key);
    if (this.#sink && !this.#sink.isLagging && this.#queue.size === 0) {
      this.#sink.write(event);
      return;
    }
    this.#enqueue(key, event, undefined);
  }

  #hold(waiting: Waiting<EventOf<Type>>): void {
    if ((this.#held?.push(waiting) ?? 0) > MAX_QUEUE) this.end(new GatewayError("CURSOR_EXPIRED"));
  }

  #deliverCounted(event: EventOf<Type>, position: Position | undefined): void {
    if (this.#wasReplayed(event, position)) return;
    if (this.#sink) this.#offer(this.#sink, event, position);
    else this.#enqueueAll(event, position);
  }

  #wasReplayed(event: BusEvent, position: Position | undefined): boolean {
    if (this.#replay?.isOver) this.#replay = undefined;
    return this.#replay?.has(event, position) ?? false;
  }

  /** To a sink: now, or later out of the log. */
  #offer(sink: Sink, event: EventOf<Type>, position: Position | undefined): void {
    // What waits from before the sink took the stream is older.
    const mayWrite = !sink.isLagging && this.#queue.size === 0;
    // Without a position: the log has not got it yet, since the bus cannot be reached.
    if (mayWrite && (!this.#catchUp || position === undefined)) sink.write(event);
    else if (position === undefined) this.#enqueueAll(event, undefined);
    else {
      this.#catchUp ??= new CatchUp(this.#log, this.#catchUpTarget(sink));
      if (this.#catchUp.admit(topicOf(event), position, mayWrite)) sink.write(event);
    }
  }

  #catchUpTarget(sink: Sink): ConstructorParameters<typeof CatchUp>[1] {
    return {
      get isLagging() {
        return sink.isLagging;
      },
      write: (event, position) => {
        // The bus was away when it came: it was given then, and has a place in the log since.
        if (isCounted(event) && this.#fanout.wasDelivered(event)) return;
        if (this.#done || !isOfType(event, this.spec.type) || !this.spec.takes(event)) return;
        if (!this.#wasReplayed(event, position)) sink.write(placed(event, position));
      },
    };
  }

  #flush(): void {
    while (this.#sink && !this.#sink.isLagging) {
      const waiting = this.#queue.shift();
      if (!waiting) return;
      this.#sink.write(waiting.event);
    }
  }

  #enqueueAll(event: EventOf<Type>, position: Position | undefined): void {
    if (this.#queue.size < this.#maxQueue) {
      this.#enqueue(event, event, position);
      return;
    }
    this.end(new GatewayError("CURSOR_EXPIRED", { message: "This connection is too slow to follow the chat." }));
  }

  #enqueue(key: unknown, event: EventOf<Type>, position: Position | undefined): void {
    this.#queue.put(key, event, position);
    if (this.#waiting) this.#settle(this.#waiting);
  }

  #settle({ resolve, reject }: PromiseWithResolvers<IteratorResult<EventOf<Type>, undefined>>): void {
    this.#waiting = undefined;
    this.#inHand = this.#queue.shift();
    if (this.#inHand) resolve({ done: false, value: this.#inHand.event });
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
 * A stream that is already fed, and starts with its snapshot, or with its replay. An event that arrives while the snapshot is being read is newer
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
    await stream.begin();
    return stream;
  } catch (error) {
    await stream.return();
    throw error;
  }
}
