/** The bus of one process: nothing leaves it, nothing survives it. */
import { LRUCache } from "lru-cache";
import type { Bus, BusOptions, Listener, PresenceState, PresenceStore, SharedState } from "./bus.ts";
import { MemoryLog } from "./memory-log.ts";

/** Entries of shared state and of last-seen instants that are kept at most, each. */
const MAX_ENTRIES = 100_000;

export function createMemoryBus<Event>({ isKept, logAgeMs, onListenerError }: BusOptions<Event>): Bus<Event> {
  const topics = new Map<string, Set<Listener<Event>>>();
  const log = new MemoryLog<Event>(logAgeMs);
  return {
    log,
    state: createMemoryState(),
    presence: createMemoryPresence(),

    async publish(topic, event) {
      const position = isKept(event) ? log.append(topic, event) : undefined;
      for (const listener of topics.get(topic) ?? []) {
        try {
          listener(event, position);
        } catch (error) {
          onListenerError(error);
        }
      }
    },

    async subscribe(topic, listener) {
      // A wrapper of its own, so that the same function subscribed twice is two subscriptions.
      const entry: Listener<Event> = (event, position) => listener(event, position);
      const listeners = topics.get(topic) ?? new Set();
      topics.set(topic, listeners.add(entry));
      return async () => {
        listeners.delete(entry);
        // A later subscriber may have replaced an emptied set already.
        if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic);
      };
    },

    async close() {
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

function createMemoryPresence(): PresenceStore {
  const online = new Map<string, Set<string>>();
  const lastSeen = new LRUCache<string, string>({ max: MAX_ENTRIES });

  function read(userId: string): PresenceState {
    return online.has(userId)
      ? { online: true, lastSeenAt: undefined }
      : { online: false, lastSeenAt: lastSeen.get(userId) };
  }

  return {
    async enter(userId, leaseId) {
      const leases = online.get(userId);
      if (leases) leases.add(leaseId);
      else online.set(userId, new Set([leaseId]));
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
  };
}
