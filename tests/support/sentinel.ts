/** A master, a replica and three sentinels that look after them. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createCertificate, end, listenSomewhere, startRedis, type RedisServer } from "./redis.ts";

const NAME = "chat";
const SENTINELS = 3;

/** Soon, but not so soon that a starved machine looks like a dead master. */
const DOWN_AFTER_MS = 3000;

export interface Sentinels extends AsyncDisposable {
  /** As the gateway is given it. */
  readonly url: string;
  /** Both servers; the first is the master at the start. */
  readonly servers: readonly [RedisServer, RedisServer];
  /** Makes the replica master while the master lives, as for maintenance. */
  failover(): Promise<void>;
  /** Resolves when most sentinels name that server as the master, and it is one. */
  named(server: RedisServer): Promise<void>;
  /** Resolves when that server follows the other one, and has all that it has. */
  follows(server: RedisServer): Promise<void>;
  /** Stops one of the sentinels without a word: connections to it stay, and are not answered. */
  silenceOne(): void;
  /** How many clients listen to what the sentinels announce. */
  listeners(): Promise<number>;
}

export interface SentinelsOptions {
  /** Of the master at the start, as the command line takes them. */
  readonly masterArguments?: readonly string[];
}

/** Resolves when a failover would succeed: the replica is in sync, and every sentinel knows it and the others. */
export async function startSentinels(options: SentinelsOptions = {}): Promise<Sentinels> {
  await using starting = new AsyncDisposableStack();
  const master = starting.use(await startRedis({ arguments: options.masterArguments ?? [] }));
  const replica = starting.use(await startRedis({ replicaOf: master.port }));
  // A sentinel asks a master for its replicas when it meets it, and then every ten seconds.
  await inSync(replica);
  const directory = starting.use(await mkdtempDisposable(join(tmpdir(), "sentinel-"))).path;
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, async () => starting.use(await startSentinel(directory, master.port))),
  );
  await Promise.all(sentinels.map(({ control }) => until(() => isPrepared(control))));
  const started = starting.move();
  const [first] = sentinels;
  if (!first) throw new Error("there are sentinels");
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/0?name=${NAME}`,
    servers: [master, replica],
    async failover() {
      await until(() => hasBegunFailover(first.control, NAME));
    },
    async named({ port, control }) {
      const others = sentinels.filter(({ isSilent }) => !isSilent);
      await Promise.all(others.map((sentinel) => until(async () => (await masterOf(sentinel.control)) === port)));
      await until(async () => (await control.info("replication")).includes("role:master"));
    },
    follows: inSync,
    silenceOne: () => first.silence(),
    async listeners() {
      const lists = await Promise.all(sentinels.map(({ control }) => control.client("LIST")));
      return String(lists).match(/ sub=1 /g)?.length ?? 0;
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

interface Sentinel extends AsyncDisposable {
  readonly port: number;
  readonly control: Redis;
  readonly isSilent: boolean;
  silence(): void;
}

async function startSentinel(directory: string, masterPort: number): Promise<Sentinel> {
  await using starting = new AsyncDisposableStack();
  const launchAt = (candidate: number): ChildProcess => launch(directory, candidate);
  const { child, port } = await listenSomewhere(launchAt, (candidate) =>
    writeFile(
      join(directory, `${candidate}.conf`),
      configuration(directory, candidate) + monitored(NAME, masterPort, 2),
    ),
  );
  starting.defer(() => end(child));
  const control = new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: null });
  starting.defer(() => control.disconnect());
  control.on("error", () => undefined);
  let isSilent = false;
  const started = starting.move();
  return {
    port,
    control,
    get isSilent() {
      return isSilent;
    },
    silence() {
      isSilent = true;
      child.kill("SIGSTOP");
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

export interface LoneSentinelOptions {
  /** It serves TLS alone, and looks after a master that does. */
  readonly tls?: boolean;
  /** What it wants to hear from its clients. */
  readonly password?: string;
  /** Users of its own, as a line of its configuration each. */
  readonly users?: readonly string[];
  /** Another master, which it knows by this name. */
  readonly also?: { readonly name: string; readonly port: number };
}

export interface LoneSentinel extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The certificate that a client has to trust; of one with TLS. */
  readonly certificate: string | undefined;
  /** Makes the replica of that master its successor. Resolves when the sentinel has announced it. */
  failover(name: string): Promise<void>;
}

/** Starts one that looks after a master alone. */
export async function startLoneSentinel(master: RedisServer, options: LoneSentinelOptions = {}): Promise<LoneSentinel> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(await mkdtempDisposable(join(tmpdir(), "sentinel-"))).path;
  const certificate = options.tls ? await createCertificate(directory) : undefined;
  await writeFile(join(directory, "master.pem"), master.certificate ?? "");
  const launchAt = (port: number): ChildProcess => launch(directory, port);
  const { child, port } = await listenSomewhere(launchAt, (candidate) => {
    const lines = [
      configuration(directory, options.tls ? 0 : candidate),
      monitored(NAME, master.port, 1),
      options.also ? monitored(options.also.name, options.also.port, 1) : "",
      options.tls ? tlsConfiguration(directory, candidate) : "",
      options.password ? `requirepass ${options.password}` : "",
      ...(options.users ?? []),
    ];
    return writeFile(join(directory, `${candidate}.conf`), lines.join("\n"));
  });
  starting.defer(() => end(child));
  const started = starting.move();
  return {
    url: `redis${options.tls ? "s" : ""}+sentinel://127.0.0.1:${port}/0?name=${NAME}`,
    port,
    certificate,
    async failover(name) {
      const control = new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: null });
      try {
        await until(() => hasReplica(control, name));
        const former = await masterOf(control, name);
        await until(() => hasBegunFailover(control, name));
        await until(async () => (await masterOf(control, name)) !== former);
      } finally {
        control.disconnect();
      }
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

function tlsConfiguration(directory: string, port: number): string {
  return `
tls-port ${port}
tls-replication yes
tls-auth-clients no
tls-cert-file ${join(directory, "cert.pem")}
tls-key-file ${join(directory, "key.pem")}
tls-ca-cert-file ${join(directory, "master.pem")}
`;
}

function launch(directory: string, port: number): ChildProcess {
  const args = [join(directory, `${port}.conf`), "--sentinel"];
  return spawn("redis-server", args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** What a sentinel learns it writes there too. */
function configuration(directory: string, port: number): string {
  return `
port ${port}
bind 127.0.0.1
dir ${directory}
loglevel warning
`;
}

/** @param quorum how many have to find the master gone. */
function monitored(name: string, port: number, quorum: number): string {
  return `
sentinel monitor ${name} 127.0.0.1 ${port} ${quorum}
sentinel down-after-milliseconds ${name} ${DOWN_AFTER_MS}
sentinel failover-timeout ${name} 3000
sentinel parallel-syncs ${name} 1
`;
}

async function inSync({ control }: RedisServer): Promise<void> {
  await until(async () => {
    const info = await control.info("replication");
    return info.includes("role:slave") && info.includes("master_link_status:up");
  });
}

async function isPrepared(sentinel: Redis): Promise<boolean> {
  const others = (await sentinel.call("SENTINEL", "SENTINELS", NAME)) as unknown[];
  return others.length === SENTINELS - 1 && (await hasReplica(sentinel, NAME));
}

async function hasReplica(sentinel: Redis, name: string): Promise<boolean> {
  const replicas = (await sentinel.call("SENTINEL", "REPLICAS", name)) as string[][];
  const isReachable = (replica: readonly string[]): boolean =>
    replica[replica.indexOf("flags") + 1] === "slave" && replica[replica.indexOf("master-link-status") + 1] === "ok";
  return replicas.length === 1 && replicas.every(isReachable);
}

async function masterOf(sentinel: Redis, name = NAME): Promise<number> {
  const [, port] = (await sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)) as readonly string[];
  return Number(port);
}

/** False where the sentinel has not heard from the replica lately: a starved machine is slow. */
async function hasBegunFailover(sentinel: Redis, name: string): Promise<boolean> {
  try {
    await sentinel.call("SENTINEL", "FAILOVER", name);
    return true;
  } catch (error) {
    if (String(error).includes("NOGOODSLAVE")) return false;
    throw error;
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}
