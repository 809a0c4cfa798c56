/** The connections to Redis, as ioredis makes them: one for commands, and for each server one that does nothing but listen. */
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { parseRedisAddress, type RedisAddress } from "./address.ts";

export interface RedisClients {
  readonly commands: Redis | Cluster;
  /** Makes a connection that listens: to that node of the cluster (`host:port`), or to the server where there is no cluster. */
  readonly listenTo: (node: string) => Redis;
}

/** How long Redis may take for an answer before it counts as gone. */
export const ANSWER_TIMEOUT_MS = 1000;

/** How often a cluster is asked which node has which slots, beside when one of them says that it has not. */
const SLOTS_REFRESH_MS = 2000;

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

/** None connects by itself. Every later failure is told to `onError`. */
export function createRedisClients(
  url: string,
  options: { readonly tls?: RedisOptions["tls"]; readonly onError: (error: Error) => void },
): RedisClients {
  const address = parseRedisAddress(url);
  const { tls = address.credentials.tls } = options;
  const own: RedisOptions = { ...COMMON, ...address.credentials, ...(tls ? { tls } : {}) };
  const clients = address.kind === "cluster" ? clusterClients(address, own) : plainClients(address, own);
  const watched = <Client extends Redis | Cluster>(client: Client): Client => {
    client.on("error", options.onError);
    return client;
  };
  return { commands: watched(clients.commands), listenTo: (node) => watched(clients.listenTo(node)) };
}

/**
 * Has another connection made. Where one is being made already, hanging up would end the library's attempts while it asks a sentinel.
 */
export function hangUp(client: Redis | Cluster): void {
  if (client.status !== "connecting") client.disconnect(true);
}

function plainClients({ kind, nodes, name }: RedisAddress, own: RedisOptions): RedisClients {
  const [{ host, port }] = nodes;
  const asked: RedisOptions = {
    sentinels: [...nodes],
    name,
    // One that has fallen silent is not waited for: the next one is asked.
    sentinelCommandTimeout: ANSWER_TIMEOUT_MS,
    // To the sentinels and to whom they name; without both the library says the password to the master in the clear.
    ...(own.tls ? { sentinelTLS: own.tls, enableTLSForSentinelMode: true } : {}),
  };
  const place: RedisOptions = kind === "sentinel" ? asked : { host, port };
  return {
    commands: new Redis({ ...own, ...place }),
    listenTo: () => new Redis({ ...own, ...place }),
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
    // A slot on its way to another node: what waits for it is sent again by us, and holds nothing else up.
    retryDelayOnTryAgain: 25,
    slotsRefreshTimeout: ANSWER_TIMEOUT_MS,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    redisOptions: ofNode,
  });
  return {
    commands,
    listenTo(node) {
      const colon = node.lastIndexOf(":");
      return new Redis({ ...own, host: node.slice(0, colon), port: Number(node.slice(colon + 1)) });
    },
  };
}
