/**
 * The bus: events between processes, and small values that they share for a limited time. One port with two implementations:
 * memory (one process) and Redis (many). Feature code does not know which one it has.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Counts, Durations } from "../measures.ts";
import type { Position } from "./position.ts";

/** Ends a subscription to a topic. Resolves when no further event comes from it; never rejects. */
export type Unsubscribe = () => Promise<void>;

/** A listener of a topic. `receive` may not wait. A listener that throws is reported and harms no other. */
export interface TopicListener<Event> {
  /** Called for each event in the order of the topic's log. `position` is undefined for a transient event. */
  receive(event: Event, position: Position | undefined): void;
  /**
   * Durable events after `after` are missing and the log does not have them: Redis lost its memory, or the log does not reach back
   * that far. Resolves to the events of that time that can be found elsewhere. They are added to the log where it does not have them,
   * and delivered where they were not; to undefined where they cannot be found. Nothing newer is delivered until the promise is settled. May
   * not reject.
   *
   * @param isKnown whether the bus has an event already: it need not be found.
   */
  recover?(after: Position, isKnown: (event: Event) => boolean): Promise<readonly RecoveredEvent<Event>[] | undefined>;
}

/** An event that was found outside the log. */
export interface RecoveredEvent<Event> {
  readonly event: Event;
  /** When it came about, in milliseconds since the epoch. It decides the order among recovered events. */
  readonly atMs: number;
}

/** What became of a published event. */
export interface PublishResult {
  /** Where the log has the event, from this or an earlier publication under the same id. Undefined for a transient event. */
  readonly position: Position | undefined;
  /** The event was not published: it is transient and the other instances cannot be reached. */
  readonly isDropped: boolean;
}

/** Is notified when the connection to the other instances changes. */
export interface ConnectionListener {
  /**
   * The values that existed before are gone. Called before anything is written in their place; resolves when the listener has put again
   * what it had.
   *
   * @param onProgress is called each time that some of it is there: others wait for it.
   */
  emptied?(onProgress: () => void): Promise<void>;
  /** The bus, or a part of it, is disconnected: live delivery pauses until `restored`. Called at once where it is already. */
  lost?(): void;
  /**
   * The bus, or a part of it, is connected again, and every topic has caught up. Transient events may have been missed.
   * `isEmptied`: the shared values that existed before are gone.
   */
  restored(isEmptied: boolean): void;
}

export interface Bus<Event> {
  /** Whether this process can publish to and receive from the other instances. Always true within one process. */
  readonly isConnected: boolean;
  readonly statistics: BusStatistics;
  /** How long Redis took to answer, in seconds; nothing within one process. */
  readonly commands: Durations;
  /** Times that events were missing, by how that ended. */
  readonly gaps: Counts<GapOutcome>;
  /**
   * Brings an event to every listener of the topic, on every instance, the publisher's own included. Everybody receives the events
   * of a topic in the order of its log. Events that one process publishes to one topic enter the log in the order of the calls.
   *
   * Resolves when the log has the event. While Redis is unreachable or refuses writes, durable events wait in order, for as long as
   * that takes; transient ones are dropped. Callers that must answer in bounded time bound their wait, not the publication. Rejects
   * with {@link EventRefused} where the event itself is at fault, and where the bus is closed.
   */
  publish(topic: string, event: Event): Promise<PublishResult>;
  /**
   * Resolves when every event that is published from then on will reach the listener. While Redis is unreachable, it resolves at
   * once and the events are delivered when Redis is back.
   */
  subscribe(topic: string, listener: TopicListener<Event>): Promise<Unsubscribe>;
  /** Until the returned function is called. */
  observe(listener: ConnectionListener): () => void;
  readonly log: EventLog<Event>;
  readonly state: SharedState;
  readonly fenced: FencedState;
  readonly expiringSets: ExpiringSets;
  readonly presence: PresenceStore;
  /** Allowances that are counted over all instances, or by this one alone while Redis is unreachable. */
  limiter(rate: AllowedRate): RateLimiter;
  /** Idempotent. Waiting events get a moment to be sent. */
  close(): Promise<void>;
}

/** `log`: the log had them. `history`: it did not, and the listeners were asked. `expired`: one of them could not find them. */
export type GapOutcome = "log" | "history" | "expired";

export const GAP_OUTCOMES: readonly GapOutcome[] = ["log", "history", "expired"];

/** Upper bounds of {@link Bus.commands}. */
export const COMMAND_BOUNDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5,
];

/** Counted since the start. */
export interface BusStatistics {
  /** Payloads that could not be decoded and were dropped. */
  readonly undecodable: number;
  /** Events that wait until Redis accepts them. */
  readonly queued: number;
  /** Durable events that were dropped because too many waited. Their topics recover them from elsewhere. */
  readonly dropped: number;
  /** Times that a connection was lost. */
  readonly outages: number;
}

/** `durable`: kept in the topic's log, and delivered to everybody. `transient`: of a state that can be read; not repeated. */
export type EventKind = "durable" | "transient";

/** How a durable event takes the place of others of its topic in the log. */
export interface Compaction {
  /** What events replace one another by. */
  readonly key: string;
  /** How many events of the key the log has then at most, with this one: the oldest go. */
  readonly keeps: number;
}

/**
 * A part of a topic's log. `kept`: events that stay until they are too old, or {@link LOG_MAX_EVENTS} are newer. `compacted`: events with a
 * {@link Compaction}; as many of them, and none that was replaced. Neither part pushes out events of the other.
 */
export type LogPart = "kept" | "compacted";

/** What a bus needs to know about its events. */
export interface BusOptions<Event> {
  readonly kindOf: (event: Event) => EventKind;
  /** The id of a durable event. A second publication under the same id within {@link EVENT_ID_TTL_MS} is a duplicate. */
  readonly idOf: (event: Event) => string;
  /** Of a durable event; undefined where it replaces no other. Such an event's id is remembered for a minute alone. */
  readonly compactionOf?: (event: Event) => Compaction | undefined;
  /** When a durable event came about, in milliseconds since the epoch, where it says so. */
  readonly timeOf?: (event: Event) => number | undefined;
  /** An event as another process sent it, checked; undefined where it is none. */
  readonly decode: (value: unknown) => Event | undefined;
  /** How long the log of a topic reaches back at most, in milliseconds. {@link LOG_MAX_EVENTS} bounds it too. */
  readonly logAgeMs: number;
  /** Is notified of a listener that threw; the other listeners were served. */
  readonly onListenerError: (error: unknown) => void;
}

/** The maximum number of events in each part of the log of one topic. */
export const LOG_MAX_EVENTS = 1000;

/** How long the id of a durable event is remembered, in milliseconds. */
export const EVENT_ID_TTL_MS = 600_000;

export interface LogEntry<Event> {
  readonly position: Position;
  readonly event: Event;
  /** Where it is in the order of listeners, if that is not its position: it was recovered after the log had lost it. */
  readonly order?: Position;
}

/**
 * The position of a reader in several topics: `topics` lists those that are not at `base`. The reader has received everything up
 * to there. Any instance can continue from it. JSON.
 */
export interface StreamPosition {
  readonly base: Position;
  readonly topics: Readonly<Record<string, Position>>;
}

/** All that the log has of a topic. It is complete after `since`. */
export interface LogTail<Event> {
  readonly since: Position;
  readonly entries: readonly LogEntry<Event>[];
}

/** The recent durable events of each topic. */
export interface EventLog<Event> {
  /** The position of this process in topics that it subscribes to. Answers at once, without asking Redis. */
  position(topics: Iterable<string>): StreamPosition;
  /**
   * The events of one part of a topic's log (`kept` where absent) after `after`, in order, whether or not this process subscribes to it.
   * Undefined where that part is not complete after that position. Rejects with {@link BusUnavailable}.
   */
  read(topic: string, after: Position, part?: LogPart): Promise<readonly LogEntry<Event>[] | undefined>;
  /** All that is kept of a topic, compacted events apart, in the order of listeners. Rejects with {@link BusUnavailable}. */
  tail(topic: string): Promise<LogTail<Event>>;
  /**
   * The position of each of these durable events, whether or not the log has it still; undefined where it was not published within
   * {@link EVENT_ID_TTL_MS}, or nobody remembers. Rejects with {@link BusUnavailable}.
   */
  positionsOf(topic: string, ids: readonly string[]): Promise<readonly (Position | undefined)[]>;
  /**
   * How long events of a topic that were published after a position had come about before, at most, in milliseconds: they waited for
   * Redis, or for the REST API's answer. 0 where none took {@link DELAY_MIN_MS}. Rejects with {@link BusUnavailable}.
   */
  delayAfter(topic: string, after: Position): Promise<number>;
}

/** A delay from which on it is noted how long an event's publication took. */
export const DELAY_MIN_MS = 5000;

/** Redis cannot be reached, or does not answer in time. Rejections with it are bounded in time. */
export class BusUnavailable extends Error {
  override readonly name = "BusUnavailable";

  constructor(cause?: unknown) {
    super("the bus cannot be reached", cause === undefined ? undefined : { cause });
  }
}

/** The event itself cannot be published: it is too large, or cannot be written as JSON. */
export class EventRefused extends Error {
  override readonly name = "EventRefused";
}

/** The value, or `fallback` where the bus cannot be reached. */
export async function whereReachable<T>(work: Promise<T>, fallback: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BusUnavailable) return fallback;
    throw error;
  }
}

/** Before another attempt to reach the bus. */
const RETRY_MS = 500;

/** Does something as soon as the bus can be reached, unless it is not wanted any more. Rejects where `work` fails for another reason. */
export async function whenReachable(work: () => Promise<void>, isWanted: () => boolean): Promise<void> {
  while (isWanted()) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof BusUnavailable)) throw error;
    }
    await sleep(RETRY_MS, undefined, { ref: false });
  }
}

/** Small values under keys, for a time, the same on every instance. Bounded: the oldest go first. All reject with {@link BusUnavailable}. */
export interface SharedState {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttlMs: number): Promise<void>;
  /** Sets `key` if it is not there. Resolves to whether it was set: of any number of callers exactly one gets `true`. */
  claim(key: string, ttlMs: number): Promise<boolean>;
  /**
   * Sets `key`, which no `set` or `claim` has, if it is not there, for as long as the bus remembers anything. Resolves to the value that is
   * there: the same for every caller.
   */
  agree(key: string, value: unknown): Promise<unknown>;
  /** Removes a value, or gives a claimed key back. */
  release(key: string): Promise<void>;
}

/** A value that was taken over. `expired`: there was one, and its time is over. */
export type TakenValue =
  | { readonly status: "found"; readonly value: unknown }
  | { readonly status: "expired" }
  | { readonly status: "none" };

/**
 * Values with a fencing token: the last to take a key owns it, and what its former owner does afterwards has no effect. For
 * `tombstoneMs` it is remembered that there was a value. All reject with {@link BusUnavailable}.
 */
export interface FencedState {
  /**
   * Takes over the value from any owner. The key belongs to `owner` for `ttlMs` at least. A tombstone stays. Where the bus has lost its
   * memory it waits a moment until every instance has put again what it had, and rejects where one takes longer.
   *
   * @param initial the value from now on, where there is none and none has expired. Undefined: none.
   * @param isWanted asked after waiting: where it is not, it rejects and takes nothing.
   */
  take(
    key: string,
    owner: string,
    initial: unknown,
    ttlMs: number,
    tombstoneMs: number,
    isWanted?: () => boolean,
  ): Promise<TakenValue>;
  /**
   * Sets the value for `ttlMs`, where nobody else owns it. Resolves to whether it was set.
   *
   * @param mayWait it may be sent up to 50 ms later, together with others, unless something else is asked of this bus's fenced state before.
   */
  put(
    key: string,
    owner: string,
    value: unknown,
    ttlMs: number,
    tombstoneMs: number,
    mayWait?: boolean,
  ): Promise<boolean>;
  /**
   * Sets the value for `ttlMs`, where nobody owns the key and no tombstone is left. Resolves to whether it was set. Rejects where the bus
   * has lost its memory, and not every instance has put again what it had.
   */
  putFirst(key: string, owner: string, value: unknown, ttlMs: number, tombstoneMs: number): Promise<boolean>;
  /**
   * Puts a value again that the bus has lost, where nobody has taken or put one since. Of several that are put again the one stays whose
   * `owner` took it last: `takenAt` is greater. Resolves to whether it was set.
   */
  restore(
    key: string,
    owner: string,
    takenAt: string,
    value: unknown,
    ttlMs: number,
    tombstoneMs: number,
  ): Promise<boolean>;
  /** Removes the value and its tombstone, where `owner` owns it. */
  drop(key: string, owner: string): Promise<void>;
}

/** Sets whose members expire. All reject with {@link BusUnavailable}. */
export interface ExpiringSets {
  /** Adds a member, or prolongs it. */
  put(set: string, member: string, value: unknown, ttlMs: number): Promise<void>;
  /** Resolves to whether it was there. */
  remove(set: string, member: string): Promise<boolean>;
  /** The values of each set's members, in the order of `sets`. */
  list(sets: readonly string[]): Promise<readonly (readonly unknown[])[]>;
}

/** `count` in a window. */
export interface AllowedRate {
  readonly count: number;
  readonly windowMs: number;
}

/**
 * Takes `cost`, or one, from the allowance of `key`: a whole number, at most the whole allowance is taken. Resolves to 0, or to the
 * milliseconds until the allowance is renewed. Never rejects, and answers in the order of the calls. Keys begin with what they limit: over
 * Redis, limiters of the same rate share their allowances.
 */
export type RateLimiter = (key: string, cost?: number) => Promise<number>;

/** A user who is online, and the name that others see. */
export interface PresentUser {
  readonly id: string;
  readonly name: string;
}

/** What is known about a user's presence. */
export interface PresenceState {
  readonly online: boolean;
  /** When the last connection of the user closed; ISO 8601. Undefined while online, and where it is unknown. */
  readonly lastSeenAt: string | undefined;
}

/**
 * Who is online: every connection of a user holds a lease. A user goes online with the first lease, and offline when the last one
 * is gone and nobody came back until {@link PresenceStore.settle}. Of all instances, exactly one caller or listener is told of each
 * transition.
 *
 * The leases of a dead instance expire within the time that the store was made with; another instance ends the graces that it left.
 * While Redis is unreachable leases are kept in this process and written when Redis is back; listeners are then told of the
 * transitions, once. What nobody has {@link PresenceStore.announced} is announced by another instance where this one dies. Only `read` rejects.
 */
export interface PresenceStore {
  /** Resolves to whether the user was offline before. */
  enter(user: PresentUser, leaseId: string): Promise<boolean>;
  /** Resolves to whether that was the user's last lease: the caller then calls `settle` after the grace. */
  leave(userId: string, leaseId: string): Promise<boolean>;
  /** Puts a user without a lease offline. Resolves to whether this call did. */
  settle(userId: string): Promise<boolean>;
  /** The user was announced to be in that state. */
  announced(userId: string, isOnline: boolean): Promise<void>;
  /**
   * The state of each user, in the order asked for. Undefined where that is not known yet: the bus has lost its memory, and not every
   * instance has written its leases again. Rejects with {@link BusUnavailable}.
   */
  read(userIds: readonly string[]): Promise<readonly (PresenceState | undefined)[]>;
  /** Is notified of transitions that no call of `enter` or `settle` was told of. */
  onTransition(listener: (user: PresentUser) => void): void;
}
