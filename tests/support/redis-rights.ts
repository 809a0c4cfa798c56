/** The least rights with which the gateway works, as `ACL SETUSER` takes them: the one list of the tests and of docs/SCALING.md. */
import type { RedisServer } from "./redis.ts";

/** What the scripts call, and what is sent without one. */
const COMMANDS = [
  ["eval", "evalsha", "info", "time"],
  ["get", "mget", "set", "del", "exists", "incrby", "pexpire", "persist", "pttl"],
  ["hdel", "hget", "hgetall", "hkeys", "hmget", "hset"],
  ["sadd", "srem", "sscan"],
  ["xadd", "xdel", "xlen", "xrange", "xrevrange", "xtrim"],
  ["zadd", "zrangebyscore", "zrem", "zscore"],
].flat();

/** A server, or the master that sentinels watch. */
export const SERVER_COMMANDS = [...COMMANDS, "publish", "subscribe", "unsubscribe"];

/** What the library sends to a cluster's nodes by itself: for a slot that moves, for which node has what, for replicas. */
export const LIBRARY_COMMANDS = ["asking", "client|setname", "cluster|slots", "readonly", "readwrite"];

/** A node of a cluster that has sharded pub/sub. */
export const NODE_COMMANDS = [...COMMANDS, ...LIBRARY_COMMANDS, "spublish", "ssubscribe", "sunsubscribe"];

/** Of the user in these tests. */
export const USERNAME = "gateway";
export const PASSWORD = "s3cret";

/** Of a user at a sentinel, which has neither keys nor other channels. */
export const SENTINEL_RULES = ["reset", "on", `>${PASSWORD}`, "&+switch-master"].concat(
  ["sentinel|get-master-addr-by-name", "sentinel|sentinels", "subscribe"].map((name) => `+${name}`),
);

/** The rules of a user that may do that with what has the prefix, and nothing else. */
export function rights(commands: readonly string[], prefix = "chat:"): string[] {
  return ["reset", "on", `>${PASSWORD}`, `~${prefix}*`, `&${prefix}*`, ...commands.map((name) => `+${name}`)];
}

export async function addUser({ control }: RedisServer, rules: readonly string[]): Promise<void> {
  await control.call("ACL", "SETUSER", USERNAME, ...rules);
}

/** The address with the user in it. */
export function asUser(url: string): string {
  return url.replace("://", `://${USERNAME}:${PASSWORD}@`);
}

/** What users have been refused, by what they asked for. */
export async function refusals({ control }: RedisServer): Promise<string[]> {
  const log = (await control.call("ACL", "LOG")) as readonly (readonly unknown[])[];
  return log.map((entry) => `${String(entry[3])} ${String(entry[7])}`);
}
