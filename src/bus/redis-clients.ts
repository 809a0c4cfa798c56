/** The two connections to Redis, as ioredis makes them: one for commands, one that does nothing but listen. */
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { parseRedisAddress, type RedisAddress } from "./redis-address.ts";

export interface RedisClients {
  readonly commands: Redis | Cluster;
  /** In a cluster a connection to one of its nodes: what is published on one of them is heard on all. */
  readonly subscriber: Redis;
  readonly isCluster: boolean;
}

/** How long Redis may take for an answer before it counts as gone. */
export const ANSWER_TIMEOUT_MS = 1000;

const RETRY_STEP_MS = 50;
const RETRY_MAX_MS = 1000;

/** With a little chance in it, so that instances that lost Redis together do not come back together. */
function retryDelayMs(times: number): number {
  return Math.min(times * RETRY_STEP_MS, RETRY_MAX_MS) * (0.75 + Math.random() / 2);
}

const COMMON: RedisOptions = {
  lazyConnect: true,
  // Nothing waits for a connection that is not there: it is refused at once, and whoever sent it decides what becomes of it.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  // Ours is awaited and may fail; the library's would be an unhandled rejection.
  autoResubscribe: false,
  commandTimeout: ANSWER_TIMEOUT_MS,
  connectTimeout: 2000,
  // A server that has fallen silent does not answer a goodbye either.
  disconnectTimeout: 100,
  keepAlive: 10_000,
  disableClientInfo: true,
  retryStrategy: retryDelayMs,
  // After a failover the old master is a replica: its successor is somewhere else.
  reconnectOnError: (error) => error.message.startsWith("READONLY"),
};

/** Neither connects by itself. Every later failure is told to `onError`. */
export function createRedisClients(
  url: string,
  options: { readonly tls?: RedisOptions["tls"]; readonly onError: (error: Error) => void },
): RedisClients {
  const address = parseRedisAddress(url);
  const { tls = address.credentials.tls } = options;
  const own: RedisOptions = { ...COMMON, ...address.credentials, ...(tls ? { tls } : {}) };
  const clients = address.kind === "cluster" ? clusterClients(address, own) : plainClients(address, own);
  clients.commands.on("error", options.onError);
  clients.subscriber.on("error", options.onError);
  return clients;
}

function plainClients({ kind, nodes, name }: RedisAddress, own: RedisOptions): RedisClients {
  const [{ host, port }] = nodes;
  // A sentinel that has fallen silent is not waited for: the next one is asked.
  const asked: RedisOptions = { sentinels: [...nodes], name, sentinelCommandTimeout: ANSWER_TIMEOUT_MS };
  const place: RedisOptions = kind === "sentinel" ? asked : { host, port };
  return {
    commands: new Redis({ ...own, ...place }),
    subscriber: new Redis({ ...own, ...place }),
    isCluster: false,
  };
}

function clusterClients({ nodes }: RedisAddress, own: RedisOptions): RedisClients {
  const { retryStrategy: _, ...ofNode } = own;
  const commands = new Cluster([...nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
    // A slot without a master fails the command, in time for whoever waits.
    maxRedirections: 4,
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 100,
    slotsRefreshTimeout: ANSWER_TIMEOUT_MS,
    slotsRefreshInterval: 5000,
    redisOptions: ofNode,
  });
  return { commands, subscriber: wanderingSubscriber(nodes, commands, own), isCluster: true };
}

/**
 * A connection that tries another node of the cluster whenever the one that it was to is gone.
 *
 * It listens by ordinary pub/sub, which the nodes pass on to one another: correct on every version, at the price that each event
 * goes to every node. Sharded pub/sub (SSUBSCRIBE) would spare that; but there is then one connection for each node, and that nothing
 * was overheard on a topic may only be concluded from a tick on the very connection which the topic is on, also after its slot has
 * moved. Until that is kept apart by node, here and where a mark is taken, it would lose events that the broadcast does not.
 */
function wanderingSubscriber(nodes: RedisAddress["nodes"], cluster: Cluster, own: RedisOptions): Redis {
  const subscriber = new Redis({ ...own, ...nodes[0] });
  let turn = 0;
  subscriber.on("close", () => {
    const known = cluster.nodes("master").map(({ options: { host, port } }) => ({ host, port }));
    const candidates = known.length > 0 ? known : nodes;
    turn++;
    // Read again at every connect.
    Object.assign(subscriber.options, candidates[turn % candidates.length]);
  });
  return subscriber;
}
