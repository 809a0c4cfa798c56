/** Small shared values in Redis: each is a key that expires. */
import type { ExpiringSets, SharedState } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
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
      return (await connection.run(name, (client) => client.hdel(name, member))) === 1;
    },
    async list(sets) {
      // Sent together, since none of them waits for another's answer.
      const lists = sets.map((set) => connection.script(LIST_MEMBERS, [keys.expiringSet(set)], []));
      return (await Promise.all(lists)).map((values) => toList(values).map((value) => parse(String(value))));
    },
  };
}

/** Redis takes whole ms, of which there is at least one. */
export function wholeMs(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs));
}

/** Undefined where somebody else has written what is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
