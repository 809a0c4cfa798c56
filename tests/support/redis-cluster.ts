/** A real cluster of Redis servers, and what can befall one. */
import { startRedis, turn, type RedisServer } from "./redis.ts";

export interface RedisClusterOptions {
  /** The first master has a replica, which takes its place when it is gone. */
  readonly replica?: boolean;
  /** Of each server, as the command line takes them. */
  readonly arguments?: readonly string[];
}

export interface RedisCluster extends AsyncDisposable {
  /** The masters, in the order of their slots, a third each. */
  readonly nodes: readonly [RedisServer, RedisServer, RedisServer];
  readonly replica: RedisServer | undefined;
  readonly url: string;
  /** The master whose the slot of a key is at the start. */
  homeOf(key: string): Promise<RedisServer>;
}

const SLOTS = 16_384;

/** Starts three masters and makes a cluster of them, which stays one for what it has when some of it is gone. Resolves when it serves. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  await using starting = new AsyncDisposableStack();
  const own = { cluster: true, arguments: options.arguments ?? [] };
  const start = async (): Promise<RedisServer> => starting.use(await startRedis(own));
  const [nodes, replica] = await Promise.all([
    Promise.all([start(), start(), start()]),
    options.replica ? start() : undefined,
  ]);
  const share = Math.ceil(SLOTS / nodes.length);
  for (const [index, { control }] of nodes.entries()) {
    await control.call("CLUSTER", "ADDSLOTSRANGE", index * share, Math.min((index + 1) * share, SLOTS) - 1);
    await control.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
  }
  const all = replica ? [...nodes, replica] : nodes;
  for (const { port } of all.slice(1)) await nodes[0].control.call("CLUSTER", "MEET", "127.0.0.1", port);
  for (const node of all) {
    await until(async () => (await clusterInfo(node)).includes(`cluster_known_nodes:${all.length}`));
    await until(async () => (await clusterInfo(node)).includes(`cluster_slots_ok:${SLOTS}`));
  }
  if (replica) await replicate(nodes[0], replica);
  const started = starting.move();
  return {
    nodes,
    replica,
    url: `redis://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    async homeOf(key) {
      const home = nodes[Math.floor((await slotOf(nodes[0], key)) / share)];
      if (!home) throw new Error("a slot has a node");
      return home;
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** What the server calls the slot of a key. */
export async function slotOf({ control }: RedisServer, key: string): Promise<number> {
  return Number(await control.call("CLUSTER", "KEYSLOT", key));
}

/** How the cluster calls a node. */
export async function nodeId({ control }: RedisServer): Promise<string> {
  return String(await control.call("CLUSTER", "MYID"));
}

async function replicate(master: RedisServer, replica: RedisServer): Promise<void> {
  await replica.control.call("CLUSTER", "REPLICATE", await nodeId(master));
  await until(async () => (await replica.control.info("replication")).includes("master_link_status:up"));
  // Whoever is to choose it has to know of it.
  await until(async () => (await master.control.info("replication")).includes("connected_slaves:1"));
}

async function clusterInfo({ control }: RedisServer): Promise<string> {
  return String(await control.call("CLUSTER", "INFO"));
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await turn();
}
