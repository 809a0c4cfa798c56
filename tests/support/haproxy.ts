/** A real haproxy in front of some gateways, without stickiness. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, isListening, listenSomewhere } from "./redis.ts";

export interface Haproxy extends AsyncDisposable {
  readonly port: number;
  kill(): Promise<void>;
  /** Starts it again at the same address. */
  restart(): Promise<void>;
}

/** As docs/SCALING.md has it, but for how often it looks after the gateways. */
const CONFIGURATION = `
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  retries 3
  option redispatch
frontend clients
  bind 127.0.0.1:\${PORT}
  default_backend gateways
backend gateways
  balance roundrobin
  option httpchk GET /ready
  option allbackups
  default-server inter 250ms fall 1 rise 1
`;

/** Starts it on a free port of 127.0.0.1. Resolves when it listens. */
export async function startHaproxy(targets: readonly number[]): Promise<Haproxy> {
  await using starting = new AsyncDisposableStack();
  const { path } = starting.use(await mkdtempDisposable(join(tmpdir(), "haproxy-")));
  const file = join(path, "haproxy.cfg");
  const servers = targets.flatMap((port, index) => [
    `  server ready-${index} 127.0.0.1:${port} check`,
    // While Redis is away no gateway is ready, and each of them serves nevertheless.
    `  server any-${index} 127.0.0.1:${port} backup`,
  ]);
  await writeFile(file, `${CONFIGURATION}${servers.join("\n")}\n`);
  const launchAt = (candidate: number): ChildProcess =>
    spawn("haproxy", ["-q", "-db", "-f", file], {
      env: { PATH: process.env["PATH"], PORT: String(candidate) },
      // It tells there of every gateway that a test takes away.
      stdio: "ignore",
    });
  const { child, port } = await listenSomewhere(launchAt);
  let running = child;
  starting.defer(() => end(running));
  const started = starting.move();
  return {
    port,
    kill: () => end(running),
    async restart() {
      do running = launchAt(port);
      while (!(await isListening(running, port)));
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
