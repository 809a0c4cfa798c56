/** The bus of one process: nothing leaves it, nothing survives it. */
import { LRUCache } from "lru-cache";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import {
  EVENT_ID_TTL_MS,
  type AllowedRate,
  type Bus,
  type BusOptions,
  type OwnedState,
  type PresenceState,
  type PresenceStore,
  type RateLimiter,
  type Rosters,
  type SharedState,
  type TopicListener,
} from "../bus.ts";
import { MemoryLog } from "./memory-log.ts";
import type { Position } from "../position.ts";

/** Entries of each kind of shared state that are kept at most. */
const MAX_ENTRIES = 100_000;

export function createMemoryBus<Event>(options: BusOptions<Event>): Bus<Event> {
  const { kindOf, idOf, logAgeMs, onListenerError } = options;
  const topics = new Map<string, Set<TopicListener<Event>>>();
  const log = new MemoryLog<Event>(logAgeMs);
  const ids = new LRUCache<string, Position>({ max: MAX_ENTRIES, ttl: EVENT_ID_TTL_MS });
  let isClosed = false;
  return {
    log,
    state: createMemoryState(),
    owned: createMemoryOwnedState(),
    rosters: createMemoryRosters(),
    presence: createMemoryPresence(),
    limiter: createMemoryLimiter,
    isConnected: true,
    statistics: { garbage: 0, queued: 0, outages: 0 },

    async publish(topic, event) {
      if (isClosed) throw new Error("the bus is closed");
      let position: Position | undefined;
      if (kindOf(event) === "logged") {
        const id = `${topic} ${idOf(event)}`;
        const earlier = ids.get(id);
        if (earlier !== undefined) return { reach: "everywhere", position: earlier };
        position = log.append(topic, event);
        ids.set(id, position);
      }
      for (const listener of topics.get(topic) ?? []) {
        try {
          listener.receive(event, position);
        } catch (error) {
          onListenerError(error);
        }
      }
      return { reach: "everywhere", position };
    },

    async subscribe(topic, listener) {
      // An object of its own, so that the same listener subscribed twice is two subscriptions.
      const entry: TopicListener<Event> = { receive: (event, position) => listener.receive(event, position) };
      const listeners = topics.get(topic) ?? new Set();
      topics.set(topic, listeners.add(entry));
      return async () => {
        listeners.delete(entry);
        // A later subscriber may have replaced an emptied set already.
        if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic);
      };
    },

    observe: () => () => undefined,

    async close() {
      isClosed = true;
      topics.clear();
    },
  };
}

function createMemoryState(): SharedState {
  const entries = new LRUCache<string, { readonly value: unknown }>({ max: MAX_ENTRIES });
  return {
    async get(key) {
      return entries.get(key)?.value;
    },
    async set(key, value, ttlMs) {
      entries.set(key, { value }, { ttl: ttlMs });
    },
    async claim(key, ttlMs) {
      if (entries.has(key)) return false;
      entries.set(key, { value: true }, { ttl: ttlMs });
      return true;
    },
    async release(key) {
      entries.delete(key);
    },
  };
}

function createMemoryOwnedState(): OwnedState {
  const entries = new LRUCache<string, { readonly owner: string; readonly value: unknown }>({ max: MAX_ENTRIES });
  return {
    async take(key, owner, ttlMs) {
      const value = entries.get(key)?.value;
      entries.set(key, { owner, value }, { ttl: ttlMs });
      return value;
    },
    async put(key, owner, value, ttlMs) {
      if ((entries.get(key)?.owner ?? owner) !== owner) return false;
      entries.set(key, { owner, value }, { ttl: ttlMs });
      return true;
    },
    async drop(key, owner) {
      if (entries.get(key)?.owner === owner) entries.delete(key);
    },
  };
}

interface Member {
  readonly value: unknown;
  readonly expiresAt: number;
}

function createMemoryRosters(): Rosters {
  const rosters = new LRUCache<string, Map<string, Member>>({ max: MAX_ENTRIES });

  function present(roster: string): readonly unknown[] {
    const members = rosters.get(roster);
    if (!members) return [];
    const now = performance.now();
    for (const [name, { expiresAt }] of members) if (expiresAt <= now) members.delete(name);
    return [...members.values()].map(({ value }) => value);
  }

  return {
    async put(roster, member, value, ttlMs) {
      const members = rosters.get(roster) ?? new Map<string, Member>();
      rosters.set(roster, members.set(member, { value, expiresAt: performance.now() + ttlMs }));
    },
    async remove(roster, member) {
      const members = rosters.get(roster);
      if (members?.delete(member) && members.size === 0) rosters.delete(roster);
    },
    list: async (asked) => asked.map(present),
  };
}

function createMemoryPresence(): PresenceStore {
  const online = new Map<string, Set<string>>();
  const lastSeen = new LRUCache<string, string>({ max: MAX_ENTRIES });

  function read(userId: string): PresenceState {
    return online.has(userId)
      ? { online: true, lastSeenAt: undefined }
      : { online: false, lastSeenAt: lastSeen.get(userId) };
  }

  return {
    async enter({ id }, leaseId) {
      const leases = online.get(id);
      if (leases) leases.add(leaseId);
      else online.set(id, new Set([leaseId]));
      return leases === undefined;
    },
    async leave(userId, leaseId) {
      const leases = online.get(userId);
      if (!leases?.delete(leaseId) || leases.size > 0) return false;
      lastSeen.set(userId, new Date().toISOString());
      return true;
    },
    async settle(userId) {
      return online.get(userId)?.size === 0 && online.delete(userId);
    },
    async read(userIds) {
      return userIds.map(read);
    },
    // Nobody else could bring one about.
    onTransition() {},
  };
}

function createMemoryLimiter({ count, windowMs }: AllowedRate): RateLimiter {
  const limiter = new RateLimiterMemory({ points: count, duration: windowMs / 1000 });
  return async (key) => {
    try {
      await limiter.consume(key);
      return 0;
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      return Math.max(1, refusal.msBeforeNext);
    }
  };
}
