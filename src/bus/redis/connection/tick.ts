/**
 * Ticks: what this process publishes to itself, once a second through each server. One that comes back over a connection says
 * that the server serves, that the connection lives, and that whatever was published on that server before has been heard before.
 */
import type { Cluster, Redis } from "ioredis";
import { positionIn } from "../events/envelope.ts";
import type { RedisKeys } from "../keys.ts";
import { defineScript, runScript, toList } from "../script.ts";

/** What a server says of itself when it is given a tick. */
export interface Ticked {
  /** Which process of Redis it is. */
  readonly runId: string;
  /** Whether it publishes to its own subscribers alone (SPUBLISH). */
  readonly isSharded: boolean;
}

/** Publishes a tick on the channel. Rejects where the server does not do it. */
export type SendTick = (channel: string) => Promise<Ticked>;

// One step: the clock moves, and everybody who hears it knows that whatever was published before has been heard before.
const SERVER_TICK = defineScript(`
local _, id = logSince(KEYS[2], KEYS[1])
local position = toText(tick(KEYS[1], ARGV[2]))
redis.call('PUBLISH', ARGV[1], '{"position":"' .. position .. '"}')
return {id, 0}
`);

// Without keys, so that the node runs it even while the channel's slot is on its way to another. A cluster that is down would take
// ticks and nothing else: it is asked for a key, and whatever else it may answer to that says nothing.
const NODE_TICK = defineScript(`
local answer = redis.pcall('EXISTS', ARGV[1])
if type(answer) == 'table' and string.find(answer.err or '', 'is down', 1, true) then return answer end
local isSharded = publish(ARGV[1], '{"position":"' .. toText(nowMs(), 0) .. '"}')
return {string.match(serverInfo(), 'run_id:(%x+)'), isSharded}
`);

/** @param floor the greatest position that this process has seen: the clock does not fall behind it, whatever Redis has lost. */
export function tickThroughServer(client: Redis, { clock, epoch }: RedisKeys, floor: () => string): SendTick {
  return async (channel) => toTicked(await runScript(client, SERVER_TICK, [clock, epoch], [channel, floor()]));
}

/** Through the cluster's own connection to that node, which comes and goes with what the cluster says of itself. */
export function tickThroughNode(cluster: Cluster, node: string): SendTick {
  return async (channel) => {
    const client = cluster.nodes("master").find(({ options: { host, port } }) => `${host}:${port}` === node);
    if (!client) throw new Error(`${node} is not of the cluster`);
    return toTicked(await runScript(client, NODE_TICK, [], [channel]));
  };
}

/** The position that a tick brings. Undefined where it is none of ours: anybody may write on a channel. */
export function positionOfTick(message: string): string | undefined {
  try {
    return positionIn(JSON.parse(message));
  } catch {
    return undefined;
  }
}

function toTicked(answer: unknown): Ticked {
  const [runId, isSharded] = toList(answer);
  return { runId: String(runId), isSharded: isSharded === 1 };
}
