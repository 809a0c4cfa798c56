/**
 * Ticks: messages that this process publishes to itself, once a second through each server. A tick that arrives shows that the
 * server takes commands, that the listening connection lives, and that everything published on that server before it was received.
 */
import type { Cluster, Redis } from "ioredis";
import { isPosition } from "../../position.ts";
import type { RedisKeys } from "../keys.ts";
import { loadScript, runScript, toList } from "../script.ts";

/** What a server says of itself when it is sent a tick. */
export interface Ticked {
  /** The process of Redis. */
  readonly runId: string;
  /** Whether the server publishes to its own subscribers alone (SPUBLISH). */
  readonly isSharded: boolean;
  /** Why the server refuses to write, where it does. */
  readonly refusal: string | undefined;
}

/** Publishes a tick on the channel. Rejects where the server does not do it. */
export type SendTick = (channel: string) => Promise<Ticked>;

const SERVER_TICK = loadScript(import.meta.url, "tick-server.lua");
const NODE_TICK = loadScript(import.meta.url, "tick-node.lua");

/** @param floor the greatest position that this process has met: the clock does not fall behind it, whatever Redis has lost. */
export function tickThroughServer(client: Redis, { clock, epoch }: RedisKeys, floor: () => string): SendTick {
  return async (channel) => toTicked(await runScript(client, SERVER_TICK, [clock, epoch], [channel, floor()]));
}

/** Through the Cluster client's own connection to that node, which comes and goes with what the Cluster says of itself. */
export function tickThroughNode(cluster: Cluster, node: string): SendTick {
  return async (channel) => {
    const client = cluster.nodes("master").find(({ options: { host, port } }) => `${host}:${port}` === node);
    if (!client) throw new Error(`${node} is not a master of the Cluster`);
    return toTicked(await runScript(client, NODE_TICK, [], [channel]));
  };
}

/** The position in a tick. Undefined where the message is not a tick: anybody may publish on a channel. */
export function positionOfTick(message: string): string | undefined {
  return isPosition(message) ? message : undefined;
}

function toTicked(answer: unknown): Ticked {
  const [runId, isSharded, refusal] = toList(answer);
  return {
    runId: String(runId),
    isSharded: isSharded === 1,
    refusal: typeof refusal === "string" && refusal !== "" ? refusal : undefined,
  };
}
