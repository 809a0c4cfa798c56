/** The connections to Redis, as ioredis makes them: one for commands, and for each server one that does nothing but listen. */
import { isIP } from "node:net";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisAddress, RedisNode } from "../../../config/redis-address.ts";
import { answerSentinels, sentinelOptions, watchMaster } from "./sentinels.ts";

export interface RedisClients {
  readonly commands: Redis | Cluster;
  /** Makes a connection that listens: to that node of the cluster (`host:port`), or to the server where there is no cluster. */
  readonly listenTo: (node: string) => Redis;
  /** Closes the other connections: those to sentinels. `commands` and the listening ones are closed by their users. */
  readonly close: () => void;
}

export interface RedisClientsOptions {
  /** Over what the address says: the certificates that are trusted. */
  readonly tls?: RedisOptions["tls"];
  /** Is notified of whatever fails on a connection. */
  readonly onError: (error: Error) => void;
}

/** How long a sentinel, or a node that is asked for the slots, may take for an answer before another one is asked. */
const ANSWER_TIMEOUT_MS = 3000;

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
  // Nothing waits for a connection that is not there: it is refused at once, and the sender decides whether to send it again.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  // Ours is awaited and may fail; the library's would be an unhandled rejection.
  autoResubscribe: false,
  // No command timeout: slow is not disconnected.
  connectTimeout: 10_000,
  // A server that does not answer does not answer QUIT either.
  disconnectTimeout: 100,
  keepAlive: 10_000,
  disableClientInfo: true,
  retryStrategy: retryDelayMs,
};

/**
 * Gives every socket that is created with it an `error` listener that stays (`stream.finished`). A TLS socket that is
 * closed during the handshake and then refuses the certificate emits `error` a second time, when the server's alert
 * arrives; ioredis listens once, in sockets that only its Cluster and its Sentinel lookups know, and the second error
 * would end the process.
 */
function neverAborted(): AbortSignal {
  return new AbortController().signal;
}

/** None connects by itself. */
export function createRedisClients(address: RedisAddress, options: RedisClientsOptions): RedisClients {
  const { isSecure, credentials, database } = address;
  const trusted = options.tls ?? (isSecure ? {} : undefined);
  const tls = trusted && { ...trusted, signal: neverAborted() };
  // After a failover the old master is a replica: its successor is somewhere else.
  const reconnectOnError = (error: Error): boolean => {
    const isReplica = error.message.startsWith("READONLY");
    // The sender's rejection comes later than the report of the lost connection.
    if (isReplica) options.onError(error);
    return isReplica;
  };
  const common: RedisOptions = { ...COMMON, reconnectOnError, ...credentials, db: database, ...(tls ? { tls } : {}) };
  if (address.kind === "standalone") return standaloneClients(address, common, options.onError);
  return (address.kind === "cluster" ? clusterClients : sentinelClients)(address, common, options.onError);
}

/**
 * Has another connection made. Where one is being made already, hanging up would end the library's attempts while it asks a sentinel.
 */
export function hangUp(client: Redis | Cluster): void {
  if (client.status !== "connecting") client.disconnect(true);
}

type CreateClients = (
  address: RedisAddress,
  common: RedisOptions,
  onError: RedisClientsOptions["onError"],
) => RedisClients;

const standaloneClients: CreateClients = ({ nodes: [node] }, common, onError) => {
  const create = (): Redis => watched(new Redis({ ...common, ...endpoint(node, common) }), onError);
  return { commands: create(), listenTo: create, close: () => undefined };
};

const sentinelClients: CreateClients = (address, common, onError) => {
  const parts = { address, common, answerTimeoutMs: ANSWER_TIMEOUT_MS };
  const clients: Redis[] = [];
  const create = (): Redis => {
    const client = watched(new Redis({ ...common, ...sentinelOptions(parts) }), onError);
    answerSentinels(client, address, onError);
    clients.push(client);
    return client;
  };
  const commands = create();
  const watch = watchMaster(parts, {
    switched(host, port) {
      const others = clients.filter((client) => isConnectedElsewhere(client, host, port));
      if (others.length > 0) onError(new Error(`Sentinel announces another master: ${host}:${port}`));
      for (const client of others) hangUp(client);
    },
    failed(error) {
      // The library does not tell why a sentinel cannot be reached. While the master is connected it does not matter.
      if (commands.status !== "ready") onError(error);
    },
  });
  commands.once("connecting", () => watch.start());
  return { commands, listenTo: create, close: () => watch.close() };
};

/** The address of a server, with its name for TLS (SNI): a proxy may serve several. */
function endpoint({ host, port }: RedisNode, { tls }: RedisOptions): RedisNode & Pick<RedisOptions, "tls"> {
  return { host, port, ...(tls && isIP(host) === 0 ? { tls: { servername: host, ...tls } } : {}) };
}

/** @param name `host:port`, as the library names the nodes of a cluster. */
function nodeOf(name: string): RedisNode {
  const colon = name.lastIndexOf(":");
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
}

/** A sentinel may announce what a client that asked another one has followed already. */
function isConnectedElsewhere(client: Redis, host: string, port: number): boolean {
  if (client.status !== "ready" && client.status !== "connect") return false;
  return client.stream.remoteAddress !== host || client.stream.remotePort !== port;
}

function watched<Client extends Redis | Cluster>(client: Client, onError: RedisClientsOptions["onError"]): Client {
  client.on("error", (error: Error & { readonly command?: { readonly name: string } }) => {
    onError(error);
    // The library would go on with database 0, which is somebody else's.
    if (error.command?.name === "select") client.disconnect(true);
  });
  return client;
}

/** Connects once, so that `onError` gets the reason why a node cannot be reached: the library does not tell it. */
function probe(options: RedisOptions, onError: RedisClientsOptions["onError"]): Redis {
  const client = new Redis({ ...options, retryStrategy: () => null });
  client.on("error", onError);
  client.on("ready", () => client.disconnect());
  client.connect().catch(() => undefined);
  return client;
}

const clusterClients: CreateClients = ({ nodes }, common, onError) => {
  const { retryStrategy: _, ...ofNode } = common;
  const place = (name: string): RedisNode => endpoint(nodeOf(name), common);
  const commands = new Cluster(
    nodes.map((node) => endpoint(node, common)),
    {
      lazyConnect: true,
      enableOfflineQueue: false,
      // Names stay names: certificates are issued for them, and a name that cannot be resolved must not fail the other hosts.
      dnsLookup: (name, done) => done(null, name),
      // The library keeps the reason of a failed check to itself; the ticks check each node, and their failures have one.
      enableReadyCheck: false,
      clusterRetryStrategy: retryDelayMs,
      // A slot without a master fails the command, in time for the caller that waits.
      maxRedirections: 4,
      retryDelayOnFailover: 100,
      retryDelayOnClusterDown: 100,
      // A slot on its way to another node: what waits for it is sent again by us, and holds nothing else up.
      retryDelayOnTryAgain: 25,
      slotsRefreshTimeout: ANSWER_TIMEOUT_MS,
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      // Adds the server name of TLS to each node that is found.
      natMap: place,
      redisOptions: ofNode,
    },
  );
  const probes = new Set<Redis>();
  commands.on("node error", (error: Error, name: string) => {
    onError(error);
    if (commands.status === "ready" || !error.message.startsWith("Connection is closed")) return;
    const client = probe({ ...common, ...place(name) }, onError);
    probes.add(client);
    client.once("end", () => probes.delete(client));
  });
  const listenTo = (node: string): Redis => watched(new Redis({ ...common, ...place(node) }), onError);
  const close = (): void => {
    for (const client of probes) client.disconnect();
  };
  return { commands: watched(commands, onError), listenTo, close };
};
