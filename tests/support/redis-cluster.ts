/** A real cluster of Redis servers, and what can befall one. */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificate, startRedis, turn, type RedisServer, type RedisServerOptions } from "./redis.ts";

export interface RedisClusterOptions {
  /** The first master has a replica, which takes its place when it is gone. */
  readonly replica?: boolean;
  /** Of each master by its place, as the command line takes them. */
  readonly argumentsOf?: (index: number) => readonly string[];
  /** The nodes serve TLS alone, with a certificate for `localhost`, by which name they announce themselves. */
  readonly tls?: boolean;
}

export interface RedisCluster extends AsyncDisposable {
  /** The masters, in the order of their slots, a third each. */
  readonly nodes: readonly [RedisServer, RedisServer, RedisServer];
  readonly replica: RedisServer | undefined;
  readonly url: string;
  /** The certificate that a client has to trust; of one with TLS. */
  readonly certificate: string | undefined;
  /** A name whose slot is the master's with that place at the start, if it is in braces. */
  nameOn(index: number): Promise<string>;
}

const SLOTS = 16_384;

const NAMED_LOCALHOST =
  "--tls-cluster yes --cluster-announce-hostname localhost --cluster-preferred-endpoint-type hostname".split(" ");

/** Starts three masters and makes a cluster of them, which stays one for what it has when some of it is gone. Resolves when it serves. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  await using starting = new AsyncDisposableStack();
  const tls = options.tls ? await createSharedCertificate(starting) : undefined;
  const start = async (index: number): Promise<RedisServer> => {
    const own = [...(tls ? NAMED_LOCALHOST : []), ...(options.argumentsOf?.(index) ?? [])];
    return starting.use(await startRedis({ cluster: true, arguments: own, ...(tls ? { tls } : {}) }));
  };
  const [nodes, replica] = await Promise.all([
    Promise.all([start(0), start(1), start(2)]),
    options.replica ? start(0) : undefined,
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
    // A master that has just started does not serve at once, though it knows of all slots.
    await until(async () => (await clusterInfo(node)).includes("cluster_state:ok"));
  }
  if (replica) await replicate(nodes[0], replica);
  const started = starting.move();
  return {
    nodes,
    replica,
    url: tls
      ? `rediss://${nodes.map(({ port }) => `localhost:${port}`).join(",")}`
      : `redis://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    certificate: tls?.certificate,
    async nameOn(index) {
      for (let n = 0; ; n++) {
        if (Math.floor((await keySlot(nodes[0], `chat:${n}`)) / share) === index) return `chat:${n}`;
      }
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** One for all nodes, which have to trust one another. */
async function createSharedCertificate(
  stack: AsyncDisposableStack,
): Promise<Exclude<RedisServerOptions["tls"], boolean | undefined>> {
  const directory = stack.use(await mkdtempDisposable(join(tmpdir(), "redis-cluster-"))).path;
  return { directory, certificate: await createCertificate(directory, "DNS:localhost") };
}

/** What the server calls the slot of a key. */
export async function keySlot({ control }: RedisServer, key: string): Promise<number> {
  return Number(await control.call("CLUSTER", "KEYSLOT", key));
}

/** How the cluster calls a node. */
export async function nodeId({ control }: RedisServer): Promise<string> {
  return String(await control.call("CLUSTER", "MYID"));
}

/** Moves a slot with what is in it, as `redis-cli --cluster reshard` does. Every node knows of it when it is done. */
export async function moveSlot(
  slot: number,
  from: RedisServer,
  to: RedisServer,
  others: readonly RedisServer[],
): Promise<void> {
  await to.control.call("CLUSTER", "SETSLOT", slot, "IMPORTING", await nodeId(from));
  await from.control.call("CLUSTER", "SETSLOT", slot, "MIGRATING", await nodeId(to));
  for (;;) {
    const keys = (await from.control.call("CLUSTER", "GETKEYSINSLOT", slot, 100)) as string[];
    if (keys.length === 0) break;
    await from.control.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", ...keys);
  }
  const target = await nodeId(to);
  for (const { control } of [to, from, ...others]) await control.call("CLUSTER", "SETSLOT", slot, "NODE", target);
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
