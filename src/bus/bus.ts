/**
 * The bus: events between processes, and the little state that they share for a while. One port; what stands behind it decides
 * whether the gateway is one process or many. Feature code never knows which.
 */

/** Stops a subscription to a topic. Resolves when no further event will come from it; never rejects. */
export type Unsubscribe = () => Promise<void>;

export interface Bus<Event> {
  /**
   * Brings an event to every subscriber of the topic, on every instance, the publisher's own included. Events of one topic
   * reach everybody in one order.
   */
  publish(topic: string, event: Event): Promise<void>;
  /**
   * Resolves when every event published from then on will reach `listener`. A listener that throws is reported and harms no
   * other.
   */
  subscribe(topic: string, listener: (event: Event) => void): Promise<Unsubscribe>;
  readonly state: SharedState;
  readonly presence: PresenceStore;
  close(): Promise<void>;
}

/** Small values under keys, for a time, seen by every instance. Bounded: the oldest go first. */
export interface SharedState {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttlMs: number): Promise<void>;
  /** Sets `key` if it is not there. Resolves to whether it was not: of any number of callers exactly one is told `true`. */
  claim(key: string, ttlMs: number): Promise<boolean>;
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
