/**
 * The bus: events between processes, and the little state that they share for a while. One port; what stands behind it decides
 * whether the gateway is one process or many. Feature code never knows which.
 */
import type { Position } from "./position.ts";

/** Stops a subscription to a topic. Resolves when no further event will come from it; never rejects. */
export type Unsubscribe = () => Promise<void>;

/** Who listens to a topic. Neither method may wait; one that throws is reported and harms no other. */
export interface TopicListener<Event> {
  /** Called for each event: with its position where the log has it, without where it has not, or not yet. */
  receive(event: Event, position: Position | undefined): void;
  /**
   * Events after `after` may have gone by unheard and cannot be read from the log: it lost them, or does not reach back so far.
   * What is received from now on is newer than what is missing. `isGiven` tells of the id of an event whether it is not missing: it
   * has been received, or was published before anybody listened here.
   */
  missed?(after: Position, isGiven: (id: string) => boolean): void;
}

/** How far an event has come: to every instance, or to the subscribers of this process alone, the others being out of reach. */
export type Reach = "everywhere" | "here";

/** What became of an event. */
export interface Published {
  readonly reach: Reach;
  /** Where the log has it, now or from an earlier publication under the same id. Undefined where it has not, or not yet. */
  readonly position: Position | undefined;
}

/** Whether the instances can reach one another. */
export interface ConnectionListener {
  /**
   * The bus, or a part of it, is back after having been away: what is in no log may have gone by. `isEmptied`: what was shared
   * there before is gone, and with it whatever others knew of it.
   */
  restored(isEmptied: boolean): void;
}

export interface Bus<Event> {
  /** Whether this process reaches what it shares with others, or some of it. Of a bus within one process always. */
  readonly isConnected: boolean;
  readonly statistics: BusStatistics;
  /**
   * Brings an event to every subscriber of the topic, on every instance, the publisher's own included. Events of one topic
   * reach everybody in one order, which is the log's; those of one publisher in the order in which they were published.
   *
   * While the others are out of reach, those of this process get the event at once, and the others, but for a `transient` one, when
   * they are back, in the order in which it was published. Resolves in bounded time; rejects where the bus is closed.
   */
  publish(topic: string, event: Event): Promise<Published>;
  /**
   * Resolves when every event published from then on will reach the listener; while the others are out of reach, when those
   * published in this process will, and the others' later. What a blink of the connection let pass is read from the log before
   * anything newer is received, so that nothing is missing or comes twice, or the listener is told by `missed`.
   */
  subscribe(topic: string, listener: TopicListener<Event>): Promise<Unsubscribe>;
  /** Until the returned function is called. */
  observe(listener: ConnectionListener): () => void;
  readonly log: EventLog<Event>;
  readonly state: SharedState;
  readonly owned: OwnedState;
  readonly rosters: Rosters;
  readonly presence: PresenceStore;
  /** Allowances that are counted over all instances; by this one alone while the others are out of reach. */
  limiter(rate: AllowedRate): RateLimiter;
  /** Idempotent. What is queued for others is given a moment to go out. */
  close(): Promise<void>;
}

/** Counted since the start, for whoever watches the process. */
export interface BusStatistics {
  /** Payloads that were none of ours, and were dropped. */
  readonly garbage: number;
  /** Events that wait until the others can be reached. */
  readonly queued: number;
  /** Times that a connection was lost. */
  readonly outages: number;
}

/**
 * What becomes of an event beside its delivery. `logged`: it is kept in the topic's log for who has missed it. `queued`: no log, but
 * it waits for instances that are out of reach. `transient`: of a state that can be asked for; not worth sending late.
 */
export type EventKind = "logged" | "queued" | "transient";

/** What a bus has to know of its events. */
export interface BusOptions<Event> {
  readonly kindOf: (event: Event) => EventKind;
  /** What a logged event is known by: the same one published again on its topic within ten minutes is not published. */
  readonly idOf: (event: Event) => string;
  /** An event as another process sent it, checked; undefined where it is none. */
  readonly decode: (value: unknown) => Event | undefined;
  /** How long the log of a topic reaches back at most; it is bounded by count too ({@link LOG_MAX_EVENTS}). */
  readonly logAgeMs: number;
  /** Hears of a listener that threw; the others have been served nevertheless. */
  readonly onListenerError: (error: unknown) => void;
}

/** Events kept of one topic at most. */
export const LOG_MAX_EVENTS = 1000;

/** How long the id of a logged event is remembered. */
export const EVENT_ID_TTL_MS = 600_000;

export interface LogEntry<Event> {
  readonly position: Position;
  readonly event: Event;
}

/**
 * Where the listeners of some topics stand: in each of `topics` as given there, in the others at `base`. Everything up to there was
 * given to them, or was before they listened; everything after it was not. Any instance can read on from there. JSON.
 */
export interface Mark {
  readonly base: Position;
  readonly topics: Readonly<Record<string, Position>>;
}

/** All that the log has of a topic, and since when that is all that there was. */
export interface LogTail<Event> {
  readonly since: Position;
  readonly entries: readonly LogEntry<Event>[];
}

/** The recent events of each topic, for who has missed some. */
export interface EventLog<Event> {
  /** Where this process stands in topics that it subscribes to. At once: it asks nobody. */
  mark(topics: Iterable<string>): Mark;
  /**
   * The logged events of a topic after `after`, in order; whether or not this process subscribes to it. Undefined where the log cannot
   * tell, since it does not reach back so far or has lost some. Rejects with {@link BusUnavailable}.
   */
  read(topic: string, after: Position): Promise<readonly LogEntry<Event>[] | undefined>;
  /** Everything that is kept of a topic. Rejects with {@link BusUnavailable}. */
  tail(topic: string): Promise<LogTail<Event>>;
}

/** What is shared cannot be reached now. Found out in bounded time. */
export class BusUnavailable extends Error {
  override readonly name = "BusUnavailable";

  constructor(cause?: unknown) {
    super("the bus cannot be reached", cause === undefined ? undefined : { cause });
  }
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

/** Small values under keys, for a time, seen by every instance. Bounded: the oldest go first. All reject with {@link BusUnavailable}. */
export interface SharedState {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttlMs: number): Promise<void>;
  /** Sets `key` if it is not there. Resolves to whether it was not: of any number of callers exactly one is told `true`. */
  claim(key: string, ttlMs: number): Promise<boolean>;
  /** Removes a value, or gives a claimed key back: what it was claimed for did not come about. */
  release(key: string): Promise<void>;
}

/**
 * Values that pass from one owner to the next: who takes one owns it, and what its former owner does with it afterwards has no
 * effect. All reject with {@link BusUnavailable}.
 */
export interface OwnedState {
  /**
   * The value, whoever's it was, or undefined where there is none. Either way the key is `owner`'s from now on: what its former
   * owner had under way comes too late.
   */
  take(key: string, owner: string, ttlMs: number): Promise<unknown>;
  /** Sets the value for `ttlMs`, where it is nobody's or the owner's. Resolves to whether it did. */
  put(key: string, owner: string, value: unknown, ttlMs: number): Promise<boolean>;
  /** Removes it, where it is the owner's. */
  drop(key: string, owner: string): Promise<void>;
}

/** Sets whose members leave by themselves. All reject with {@link BusUnavailable}. */
export interface Rosters {
  /** Adds a member, or prolongs it. */
  put(roster: string, member: string, value: unknown, ttlMs: number): Promise<void>;
  remove(roster: string, member: string): Promise<void>;
  /** The values of each roster's members, in the order asked for. */
  list(rosters: readonly string[]): Promise<readonly (readonly unknown[])[]>;
}

/** So many in a window. */
export interface AllowedRate {
  readonly count: number;
  readonly windowMs: number;
}

/** Takes one from the allowance of `key`. Resolves to 0, or to how many ms from now there is one again. Never rejects. */
export type RateLimiter = (key: string) => Promise<number>;

/** Who is online, and by what name others know them. */
export interface PresentUser {
  readonly id: string;
  readonly name: string;
}

/** What is known of a user's presence. */
export interface PresenceState {
  readonly online: boolean;
  /** When the last connection of the user closed; ISO 8601. Undefined while online or where nobody knows. */
  readonly lastSeenAt: string | undefined;
}

/**
 * Who is online: every connection of a user holds a lease. A user is announced online with the first lease and offline when the
 * last one is gone and nobody came back until {@link PresenceStore.settle}. Each transition is told to exactly one caller, or
 * listener, of all instances.
 *
 * The leases of an instance that has died run out, within the time that the store was made with; a grace that nobody is left to
 * end is ended too. While the others are out of reach leases are kept here, and made known when they are back; transitions that
 * came about meanwhile are then told, once. No method but `read` rejects.
 */
export interface PresenceStore {
  /** Resolves to whether the user was offline before. */
  enter(user: PresentUser, leaseId: string): Promise<boolean>;
  /** Resolves to whether that was the user's last lease: the caller then calls `settle` after the grace. */
  leave(userId: string, leaseId: string): Promise<boolean>;
  /** Puts a user who has no lease offline. Resolves to whether this call did. */
  settle(userId: string): Promise<boolean>;
  /** The state of each user, in the order asked for. Rejects with {@link BusUnavailable}. */
  read(userIds: readonly string[]): Promise<readonly PresenceState[]>;
  /** Hears of transitions that no call of `enter` or `settle` was told of. */
  onTransition(listener: (user: PresentUser) => void): void;
}
