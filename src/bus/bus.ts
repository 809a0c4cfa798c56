/**
 * The bus: events between processes, and the little state that they share for a while. One port; what stands behind it decides
 * whether the gateway is one process or many. Feature code never knows which.
 */

/** Stops a subscription to a topic. Resolves when no further event will come from it; never rejects. */
export type Unsubscribe = () => Promise<void>;

/** An event's place in its topic's log. Opaque, but for one thing: as texts, later positions are greater. */
export type Position = string;

/** Called for each event, with its position where the event is one that is kept. */
export type Listener<Event> = (event: Event, position: Position | undefined) => void;

export interface Bus<Event> {
  /**
   * Brings an event to every subscriber of the topic, on every instance, the publisher's own included. Events of one topic
   * reach everybody in one order, which is the log's.
   */
  publish(topic: string, event: Event): Promise<void>;
  /**
   * Resolves when every event published from then on will reach `listener`. A listener that throws is reported and harms no
   * other.
   */
  subscribe(topic: string, listener: Listener<Event>): Promise<Unsubscribe>;
  readonly log: EventLog<Event>;
  readonly state: SharedState;
  readonly presence: PresenceStore;
  close(): Promise<void>;
}

/** What a bus has to know of its events. */
export interface BusOptions<Event> {
  /** Whether an event goes into the log: those that nobody may miss. */
  readonly isKept: (event: Event) => boolean;
  /** How long the log of a topic reaches back at most; it is bounded by count too. */
  readonly logAgeMs: number;
  /** Hears of a listener that threw; the others have been served nevertheless. */
  readonly onListenerError: (error: unknown) => void;
}

export interface LogEntry<Event> {
  readonly position: Position;
  readonly event: Event;
}

/** The recent events of each topic, for who has missed some. */
export interface EventLog<Event> {
  /**
   * The kept events of a topic from the one at `position` on, that one included, in order. Undefined where the log no longer has
   * that one.
   */
  readFrom(topic: string, position: Position): Promise<readonly LogEntry<Event>[] | undefined>;
}

/** Small values under keys, for a time, seen by every instance. Bounded: the oldest go first. */
export interface SharedState {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttlMs: number): Promise<void>;
  /** Sets `key` if it is not there. Resolves to whether it was not: of any number of callers exactly one is told `true`. */
  claim(key: string, ttlMs: number): Promise<boolean>;
  /** Gives a claimed key back: what it was claimed for did not come about. */
  release(key: string): Promise<void>;
}

/** What is known of a user's presence. */
export interface PresenceState {
  readonly online: boolean;
  /** When the last connection of the user closed; ISO 8601. Undefined while online or where nobody knows. */
  readonly lastSeenAt: string | undefined;
}

/**
 * Who is online: every connection of a user holds a lease. A user is announced online with the first lease and offline when the
 * last one is gone and nobody came back until {@link PresenceStore.settle}. Each transition is told to exactly one caller.
 */
export interface PresenceStore {
  /** Resolves to whether the user was offline before. */
  enter(userId: string, leaseId: string): Promise<boolean>;
  /** Resolves to whether that was the user's last lease. */
  leave(userId: string, leaseId: string): Promise<boolean>;
  /** Puts a user who has no lease offline. Resolves to whether this call did. */
  settle(userId: string): Promise<boolean>;
  /** The state of each user, in the order asked for. */
  read(userIds: readonly string[]): Promise<readonly PresenceState[]>;
}
