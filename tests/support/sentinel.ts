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
const DOWN_AFTER_MS = 1000;

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
}

/** Resolves when a failover would succeed: the replica is in sync, and every sentinel knows it and the others. */
export async function startSentinels(): Promise<Sentinels> {
  await using starting = new AsyncDisposableStack();
  const master = starting.use(await startRedis());
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
      await first.control.call("SENTINEL", "FAILOVER", NAME);
    },
    async named({ port, control }) {
      const others = sentinels.filter(({ isSilent }) => !isSilent);
      await Promise.all(others.map((sentinel) => until(async () => (await masterOf(sentinel.control)) === port)));
      await until(async () => (await control.info("replication")).includes("role:master"));
    },
    follows: inSync,
    silenceOne: () => first.silence(),
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
    writeFile(join(directory, `${candidate}.conf`), configuration(directory, candidate, masterPort)),
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

/** One that serves TLS alone, and looks after a master that does. */
export async function startSecureSentinel(master: RedisServer): Promise<SecureSentinel> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(await mkdtempDisposable(join(tmpdir(), "sentinel-"))).path;
  const certificate = await createCertificate(directory);
  await writeFile(join(directory, "master.pem"), master.certificate ?? "");
  const launchAt = (port: number): ChildProcess => launch(directory, port);
  const { child, port } = await listenSomewhere(launchAt, (candidate) => {
    const tls = `
tls-port ${candidate}
tls-replication yes
tls-auth-clients no
tls-cert-file ${join(directory, "cert.pem")}
tls-key-file ${join(directory, "key.pem")}
tls-ca-cert-file ${join(directory, "master.pem")}
`;
    return writeFile(join(directory, `${candidate}.conf`), tls + configuration(directory, 0, master.port, 1));
  });
  starting.defer(() => end(child));
  const started = starting.move();
  return {
    url: `rediss+sentinel://127.0.0.1:${port}/0?name=${NAME}`,
    certificate,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

export interface SecureSentinel extends AsyncDisposable {
  readonly url: string;
  readonly certificate: string;
}

function launch(directory: string, port: number): ChildProcess {
  const args = [join(directory, `${port}.conf`), "--sentinel"];
  return spawn("redis-server", args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** What a sentinel learns it writes there too. `quorum`: how many have to find the master gone. */
function configuration(directory: string, port: number, masterPort: number, quorum = 2): string {
  return `
port ${port}
bind 127.0.0.1
dir ${directory}
loglevel warning
sentinel monitor ${NAME} 127.0.0.1 ${masterPort} ${quorum}
sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}
sentinel failover-timeout ${NAME} 3000
sentinel parallel-syncs ${NAME} 1
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
  const replicas = (await sentinel.call("SENTINEL", "REPLICAS", NAME)) as string[][];
  const isReachable = (replica: readonly string[]): boolean =>
    replica[replica.indexOf("flags") + 1] === "slave" && replica[replica.indexOf("master-link-status") + 1] === "ok";
  return others.length === SENTINELS - 1 && replicas.length === 1 && replicas.every(isReachable);
}

async function masterOf(sentinel: Redis): Promise<number> {
  const [, port] = (await sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)) as readonly string[];
  return Number(port);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}
