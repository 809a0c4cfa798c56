/** The bus of one process. Nothing of it survives the process. */
import { createBoundedCache } from "../../bounded-cache.ts";
import { Counts, Durations } from "../../measures.ts";
import { SmallSet } from "../../small-set.ts";
import {
  COMMAND_BOUNDS,
  GAP_OUTCOMES,
  type Bus,
  type BusOptions,
  type ExpiringSets,
  type FencedState,
  type PresenceState,
  type PresenceStore,
  type SharedState,
  type TopicListener,
} from "../bus.ts";
import { createMemoryLimiter } from "../rate-limiter.ts";
import { MemoryLog } from "./memory-log.ts";
import type { Position } from "../position.ts";

/** Entries of each kind of shared value that are kept at most. */
const MAX_ENTRIES = 100_000;

/** How often what is out of date is dropped. */
const PURGE_MS = 10_000;

export function createMemoryBus<Event>(options: BusOptions<Event>): Bus<Event> {
  const { kindOf, idOf, compactionOf, timeOf, logAgeMs, onListenerError } = options;
  const topics = new Map<string, Set<TopicListener<Event>>>();
  const log = new MemoryLog<Event>(logAgeMs);
  const fenced = createMemoryFencedState();
  let isClosed = false;
  const stopPurging = purgeRegularly(() => {
    log.expire();
    fenced.purgeStale();
  });

  function deliver(listener: TopicListener<Event>, event: Event, position: Position | undefined): void {
    try {
      listener.receive(event, position);
    } catch (error) {
      onListenerError(error);
    }
  }

  return {
    log,
    state: createMemoryState(),
    fenced: fenced.state,
    expiringSets: createMemoryExpiringSets(),
    presence: createMemoryPresence(),
    limiter: createMemoryLimiter,
    isConnected: true,
    commands: new Durations(COMMAND_BOUNDS),
    gaps: new Counts(GAP_OUTCOMES),
    statistics: { undecodable: 0, queued: 0, dropped: 0, outages: 0 },

    async publish(topic, event) {
      if (isClosed) throw new Error("the bus is closed");
      let position: Position | undefined;
      if (kindOf(event) === "durable") {
        const id = idOf(event);
        const earlier = log.positionOf(topic, id);
        if (earlier !== undefined) return { position: earlier, isDropped: false };
        position = log.append(topic, id, event, compactionOf?.(event), timeOf?.(event));
      }
      for (const listener of topics.get(topic) ?? []) deliver(listener, event, position);
      return { position, isDropped: false };
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
      stopPurging();
      topics.clear();
    },
  };
}

/** Returns the end of it. */
function purgeRegularly(purge: () => void): () => void {
  const timer = setInterval(purge, PURGE_MS).unref();
  return () => clearInterval(timer);
}

function createMemoryState(): SharedState {
  const entries = createBoundedCache<string, { readonly value: unknown }>({ max: MAX_ENTRIES });
  const agreed = new Map<string, unknown>();
  return {
    async agree(key, value) {
      if (!agreed.has(key)) agreed.set(key, value);
      return agreed.get(key);
    },
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

/** A value and its owner; without a value, a tombstone. */
interface Fenced {
  readonly owner: string | undefined;
  readonly value: unknown;
  readonly expiresAt: number;
  readonly tombstoneUntil: number;
}

function createMemoryFencedState(): { readonly state: FencedState; readonly purgeStale: () => void } {
  const entries = createBoundedCache<string, Fenced>({ max: MAX_ENTRIES });
  const put = (key: string, fenced: Fenced): void => {
    const ttl = Math.max(1, fenced.expiresAt, fenced.tombstoneUntil) - performance.now();
    entries.set(key, fenced, { ttl: Math.max(1, Math.ceil(ttl)) });
  };
  const live = (key: string): Fenced | undefined => {
    const fenced = entries.get(key);
    return fenced && fenced.expiresAt > performance.now() ? fenced : undefined;
  };
  const state: FencedState = {
    async take(key, owner, initial, ttlMs, tombstoneMs) {
      const now = performance.now();
      const [found, tombstone] = [live(key), entries.get(key)];
      const hasExpired = found?.value === undefined && (tombstone?.tombstoneUntil ?? 0) > now;
      const value = found?.value ?? (hasExpired ? undefined : initial);
      const tombstoneUntil = value === undefined ? (tombstone?.tombstoneUntil ?? 0) : now + tombstoneMs;
      put(key, { owner, value, expiresAt: now + ttlMs, tombstoneUntil });
      if (found?.value !== undefined) return { status: "found", value };
      return { status: hasExpired ? "expired" : "none" };
    },
    async put(key, owner, value, ttlMs, tombstoneMs) {
      if ((live(key)?.owner ?? owner) !== owner) return false;
      const now = performance.now();
      put(key, { owner, value, expiresAt: now + ttlMs, tombstoneUntil: now + tombstoneMs });
      return true;
    },
    async putFirst(key, owner, value, ttlMs, tombstoneMs) {
      if (live(key) || (entries.get(key)?.tombstoneUntil ?? 0) > performance.now()) return false;
      return state.put(key, owner, value, ttlMs, tombstoneMs);
    },
    // Nothing is lost that the process outlives.
    async restore() {
      return false;
    },
    async drop(key, owner) {
      if (live(key)?.owner === owner) entries.delete(key);
    },
  };
  return { state, purgeStale: () => void entries.purgeStale() };
}

interface Member {
  readonly value: unknown;
  readonly expiresAt: number;
}

function createMemoryExpiringSets(): ExpiringSets {
  const sets = createBoundedCache<string, Map<string, Member>>({ max: MAX_ENTRIES });

  function present(set: string): readonly unknown[] {
    const members = sets.get(set);
    if (!members) return [];
    const now = performance.now();
    for (const [name, { expiresAt }] of members) if (expiresAt <= now) members.delete(name);
    return [...members.values()].map(({ value }) => value);
  }

  return {
    async put(set, member, value, ttlMs) {
      const members = sets.get(set) ?? new Map<string, Member>();
      sets.set(set, members.set(member, { value, expiresAt: performance.now() + ttlMs }));
    },
    async remove(set, member) {
      const members = sets.get(set);
      if (!members?.delete(member)) return false;
      if (members.size === 0) sets.delete(set);
      return true;
    },
    list: async (asked) => asked.map(present),
  };
}

function createMemoryPresence(): PresenceStore {
  const online = new Map<string, SmallSet<string>>();
  const lastSeen = createBoundedCache<string, string>({ max: MAX_ENTRIES });

  function read(userId: string): PresenceState {
    return online.has(userId)
      ? { online: true, lastSeenAt: undefined }
      : { online: false, lastSeenAt: lastSeen.get(userId) };
  }

  return {
    async enter({ id }, leaseId) {
      const leases = online.get(id);
      if (leases) leases.add(leaseId);
      else online.set(id, new SmallSet<string>().add(leaseId));
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
    // Nobody else could announce it.
    async announced() {},
    async read(userIds) {
      return userIds.map(read);
    },
    // Nobody else could bring one about.
    onTransition() {},
  };
}
