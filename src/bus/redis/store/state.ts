/** Small shared state in Redis: a key each, which Redis itself lets go of. */
import type { OwnedState, Rosters, SharedState } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { defineScript, toList } from "../script.ts";

export function createRedisState(connection: RedisConnection, keys: RedisKeys): SharedState {
  return {
    async get(key) {
      const name = keys.state(key);
      const text = await connection.run(name, (client) => client.get(name));
      return text === null ? undefined : parse(text);
    },
    async set(key, value, ttlMs) {
      const name = keys.state(key);
      await connection.run(name, (client) => client.set(name, JSON.stringify(value), "PX", wholeMs(ttlMs)));
    },
    async claim(key, ttlMs) {
      const name = keys.state(key);
      const set = connection.run(name, (client) => client.set(name, "true", "PX", wholeMs(ttlMs), "NX"));
      return (await set) !== null;
    },
    async release(key) {
      const name = keys.state(key);
      await connection.run(name, (client) => client.del(name));
    },
  };
}

// An owner's value is a hash: whose it is, and what it is.
const TAKE = defineScript(`
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('HGET', KEYS[1], 'value')
`);

const PUT = defineScript(`
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'value', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`);

const DROP = defineScript(`
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`);

export function createRedisOwnedState(connection: RedisConnection, keys: RedisKeys): OwnedState {
  return {
    async take(key, owner, ttlMs) {
      const text = await connection.script(TAKE, [keys.owned(key)], [owner, wholeMs(ttlMs)]);
      return typeof text === "string" ? parse(text) : undefined;
    },
    async put(key, owner, value, ttlMs) {
      const args = [owner, wholeMs(ttlMs), JSON.stringify(value)];
      return (await connection.script(PUT, [keys.owned(key)], args)) === 1;
    },
    async drop(key, owner) {
      await connection.script(DROP, [keys.owned(key)], [owner]);
    },
  };
}

// A member is a field of the roster's hash: when it leaves, by Redis's clock, a space, and its value. The whole lives as long as
// the member that leaves last.
const JOIN = defineScript(`
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', nowMs() + ARGV[2]) .. ' ' .. ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`);

const LIST = defineScript(`
local now = nowMs()
local values = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local leaves, value = string.match(all[i + 1], '^(%d+) (.*)$')
  if tonumber(leaves) > now then values[#values + 1] = value else redis.call('HDEL', KEYS[1], all[i]) end
end
return values
`);

export function createRedisRosters(connection: RedisConnection, keys: RedisKeys): Rosters {
  return {
    async put(roster, member, value, ttlMs) {
      await connection.script(JOIN, [keys.roster(roster)], [member, wholeMs(ttlMs), JSON.stringify(value)]);
    },
    async remove(roster, member) {
      const name = keys.roster(roster);
      await connection.run(name, (client) => client.hdel(name, member));
    },
    async list(rosters) {
      // Sent together, since none of them waits for another's answer.
      const lists = rosters.map((roster) => connection.script(LIST, [keys.roster(roster)], []));
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
