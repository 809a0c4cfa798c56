/** Small shared values in Redis: each is a key that expires. */
import { BusUnavailable, type ExpiringSets, type FencedState, type SharedState } from "../../bus.ts";
import { boundedWait } from "../../../bounded.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import type { Restoration } from "../restoration.ts";
import { loadScript, toList } from "../script.ts";

export function createRedisState(connection: RedisConnection, keys: RedisKeys): SharedState {
  return {
    async get(key) {
      const name = keys.state(key);
      const text = await connection.run(name, (client) => client.get(name), true);
      return text === null ? undefined : parse(text);
    },
    async set(key, value, ttlMs) {
      const name = keys.state(key);
      await connection.run(name, (client) => client.set(name, JSON.stringify(value), "PX", wholeMs(ttlMs)));
    },
    async claim(key, ttlMs) {
      const name = keys.state(key);
      const set = connection.run(name, (client) => client.set(name, "true", "PX", wholeMs(ttlMs), "NX"), true);
      return (await set) !== null;
    },
    async agree(key, value) {
      const name = keys.state(key);
      const found = await connection.run(name, (client) => client.get(name), true);
      if (found !== null) return parse(found);
      await connection.run(name, (client) => client.set(name, JSON.stringify(value), "NX"));
      const text = await connection.run(name, (client) => client.get(name), true);
      return text === null ? undefined : parse(text);
    },
    async release(key) {
      const name = keys.state(key);
      await connection.run(name, (client) => client.del(name));
    },
  };
}

const TAKE = loadScript(import.meta.url, "fenced-take.lua");
/** How long it waits for what instances put again. */
const TAKE_PATIENCE_MS = 500;
/** What it answers where the process of Redis is not known to have everything. */
const NOT_TAKEN = -1;
const PUT = loadScript(import.meta.url, "fenced-put.lua");
const RESTORE = loadScript(import.meta.url, "fenced-restore.lua");
const DROP = loadScript(import.meta.url, "fenced-drop.lua");

export function createRedisFencedState(
  connection: RedisConnection,
  keys: RedisKeys,
  restoration: Restoration,
): FencedState {
  const namesOf = (key: string): string[] => [keys.fenced(key), keys.tombstone(key)];
  return {
    async take(key, owner, ttlMs, tombstoneMs) {
      // Taken over earlier, the key would belong to somebody who has no value, and could not be put again any more.
      await boundedWait(TAKE_PATIENCE_MS, restoration.restored(), undefined);
      if (!restoration.isRestored) throw new BusUnavailable();
      const args = [owner, wholeMs(ttlMs), wholeMs(tombstoneMs), ...restoration.restoredEpochs];
      const [status, text] = toList(await connection.script(TAKE, namesOf(key), args));
      if (status === NOT_TAKEN) {
        restoration.met(String(text), false);
        throw new BusUnavailable();
      }
      if (typeof text === "string") return { status: "found", value: parse(text) };
      return { status: status === 1 ? "expired" : "none" };
    },
    async put(key, owner, value, ttlMs, tombstoneMs) {
      const args = [owner, wholeMs(ttlMs), JSON.stringify(value), wholeMs(tombstoneMs)];
      return (await connection.script(PUT, namesOf(key), args)) === 1;
    },
    async restore(key, owner, takenAt, value, ttlMs, tombstoneMs) {
      const args = [owner, takenAt, wholeMs(ttlMs), JSON.stringify(value), wholeMs(tombstoneMs)];
      return (await connection.script(RESTORE, namesOf(key), args)) === 1;
    },
    async drop(key, owner) {
      await connection.script(DROP, namesOf(key), [owner]);
    },
  };
}

const ADD_MEMBER = loadScript(import.meta.url, "expiring-set-put.lua");
const LIST_MEMBERS = loadScript(import.meta.url, "expiring-set-list.lua");

export function createRedisExpiringSets(connection: RedisConnection, keys: RedisKeys): ExpiringSets {
  return {
    async put(set, member, value, ttlMs) {
      const args = [member, wholeMs(ttlMs), JSON.stringify(value)];
      await connection.script(ADD_MEMBER, [keys.expiringSet(set)], args);
    },
    async remove(set, member) {
      const name = keys.expiringSet(set);
      await connection.run(name, (client) => client.hdel(name, member));
    },
    async list(sets) {
      // Sent together, since none of them waits for another's answer.
      const lists = sets.map((set) => connection.script(LIST_MEMBERS, [keys.expiringSet(set)], []));
      return (await Promise.all(lists)).map((values) => toList(values).map((value) => parse(String(value))));
    },
  };
}

/** Redis takes whole ms, of which there is at least one. */
function wholeMs(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs));
}

/** Undefined where somebody else has written what is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
