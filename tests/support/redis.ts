/** A real redis-server of a test's own, and what can befall one. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable, readdir, readFile, readlink } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";

export interface RedisServerOptions {
  readonly password?: string;
  /** Serves TLS alone, with a certificate of its own, or with the one for `localhost` that lies in this directory, beside its key. */
  readonly tls?: boolean | { readonly directory: string; readonly certificate: string };
  /** As a node of a cluster, which has no slots yet. */
  readonly cluster?: boolean;
  /** The port of the server that it follows. */
  readonly replicaOf?: number;
  /** As the command line takes them. */
  readonly arguments?: readonly string[];
}

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The certificate that a client has to trust; of a server with TLS. */
  readonly certificate: string | undefined;
  /** A client beside those under test. */
  readonly control: Redis;
  /** Ends it as a crash would: nothing is said to anybody, and nothing kept. */
  kill(): Promise<void>;
  /** Starts it again at the same address: empty, or with what was there at the last SAVE. */
  restart(): Promise<void>;
  /** The id of the process that runs now. */
  readonly pid: number;
  /** It holds still: connections stay, and are not answered. */
  pause(): void;
  resume(): void;
}

/** Starts a server that listens on a free port of 127.0.0.1. Resolves when it answers. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(await mkdtempDisposable(join(tmpdir(), "redis-"))).path;
  const host = typeof options.tls === "object" ? "localhost" : "127.0.0.1";
  const tls = options.tls === true ? await createCertificate(directory) : options.tls && options.tls.certificate;
  const { child, port } = await listenSomewhere((candidate) => launch(argumentsFor(options, directory, candidate)));
  let running = child;
  starting.defer(() => end(running));
  const control = new Redis({
    host,
    port,
    ...(options.password ? { password: options.password } : {}),
    ...(tls ? { tls: { ca: tls } } : {}),
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  starting.defer(() => control.disconnect());
  // It reconnects by itself; what a test does to the server is none of its business.
  control.on("error", () => undefined);
  await control.ping();
  const started = starting.move();
  return {
    url: `redis${tls ? "s" : ""}://${options.password ? `:${options.password}@` : ""}${host}:${port}`,
    port,
    certificate: tls || undefined,
    control,
    kill: () => end(running),
    get pid() {
      return running.pid ?? 0;
    },
    async restart() {
      do running = launch(argumentsFor(options, directory, port));
      while (!(await isListening(running, port)));
      await control.ping();
    },
    pause: () => void running.kill("SIGSTOP"),
    resume: () => void running.kill("SIGCONT"),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Resolves when instances have sent that Redis so many ticks, each of them one a second. */
export async function heardFrom({ control }: RedisServer, ticks: number): Promise<void> {
  const listener = control.duplicate();
  const heard = Promise.withResolvers<void>();
  let count = 0;
  listener.on("pmessage", () => {
    if (++count === ticks) heard.resolve();
  });
  await listener.psubscribe("*tick*");
  await heard.promise;
  listener.disconnect();
}

/** A moment, for who looks again and again. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

function argumentsFor(options: RedisServerOptions, directory: string, port: number): string[] {
  const certificates = typeof options.tls === "object" ? options.tls.directory : directory;
  const where = options.tls
    ? ["--port", "0", "--tls-port", String(port), "--tls-auth-clients", "no"].concat(
        ["--tls-cert-file", join(certificates, "cert.pem"), "--tls-key-file", join(certificates, "key.pem")],
        ["--tls-ca-cert-file", join(certificates, "cert.pem")],
      )
    : ["--port", String(port)];
  return [
    ...where,
    ...`--bind 127.0.0.1 --dir ${directory} --appendonly no --loglevel warning`.split(" "),
    // Whichever of two servers is the master one day, the other is told all that there is at once.
    ..."--repl-diskless-sync yes --repl-diskless-sync-delay 0".split(" "),
    "--save",
    "",
    ...(options.password ? ["--requirepass", options.password] : []),
    ...(options.cluster ? ["--cluster-enabled", "yes", "--cluster-config-file", `nodes-${port}.conf`] : []),
    ...(options.cluster ? "--cluster-node-timeout 4000 --cluster-require-full-coverage no".split(" ") : []),
    ...(options.replicaOf === undefined ? [] : ["--replicaof", "127.0.0.1", String(options.replicaOf)]),
    ...(options.arguments ?? []),
  ];
}

function launch(args: readonly string[]): ChildProcess {
  return spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
}

/**
 * A port that is free now may be somebody else's when the server gets to it: then another is tried.
 *
 * @param prepare what has to be there before a server can be launched at a port.
 */
export async function listenSomewhere(
  launchAt: (port: number) => ChildProcess,
  prepare?: (port: number) => Promise<void>,
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const port = await freePort();
    await prepare?.(port);
    const child = launchAt(port);
    if (await isListening(child, port)) return { child, port };
  }
  throw new Error("a server does not start");
}

/** Resolves when connections are taken at that port, to whether it is that process that takes them. Where it is not, the process is gone. */
export async function isListening(child: ChildProcess, port: number): Promise<boolean> {
  const gone = once(child, "exit").then(() => "gone" as const);
  if ((await Promise.race([gone, answers(port, child)])) === "gone") return false;
  if (await owns(child, port)) return true;
  await end(child);
  return false;
}

/** Whether the listening socket at that port is the process's, as far as this system tells. */
async function owns(child: ChildProcess, port: number): Promise<boolean> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")),
  );
  const rows = tables.flatMap((table) => table.split("\n").slice(1)).map((row) => row.trim().split(/\s+/));
  if (rows.length === 0) return true;
  const [LISTEN, address] = ["0A", `:${port.toString(16).toUpperCase().padStart(4, "0")}`];
  const listening = rows.filter(([, local, , state]) => state === LISTEN && local?.endsWith(address));
  const sockets = new Set(listening.map((row) => `socket:[${row[9]}]`));
  const directory = `/proc/${child.pid}/fd`;
  const names = await readdir(directory).catch(() => undefined);
  if (!names) return child.exitCode === null;
  const open = await Promise.all(names.map((name) => readlink(join(directory, name)).catch(() => "")));
  return open.some((link) => sockets.has(link));
}

/** Resolves when somebody takes connections there, or the process is gone. */
async function answers(port: number, child: ChildProcess): Promise<"answers"> {
  while (child.exitCode === null) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) break;
    await turn();
  }
  return "answers";
}

/** Below 55536: the bus of a cluster's node listens 10,000 above. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    if (port < 55_000) return port;
  }
}

/** Ends it at once, and resolves when it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** The text of a certificate that lies in the directory, beside its key. `subject`: the one that it is for. */
export async function createCertificate(directory: string, subject = "IP:127.0.0.1"): Promise<string> {
  const run = promisify(execFile);
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test";
  const files = ["-keyout", key, "-out", certificate, "-addext", `subjectAltName=${subject}`];
  await run("openssl", [...request.split(" "), ...files]);
  return readFile(certificate, "utf8");
}
