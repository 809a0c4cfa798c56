/** The processes of a measurement: started pinned to a core, looked at through /proc, ended by their ids. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import type { Answer, Observation, Request } from "./peers/support/requests.ts";

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

const START_TIMEOUT_MS = 20_000;
const QUIET_STEP_MS = 250;
/** Of the processor: less than this over a step is rest. */
const QUIET_SHARE = 0.04;
const QUIET_STEPS = 60;
const SWEEP_MS = 1000;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly core: number;
  /** Where a profile of what is measured is written, if one is wanted. */
  readonly profile?: string | undefined;
  /** How to find the port where the process does not announce it with a line `{"port":…}`. */
  readonly port?: {
    readonly number: number;
    /** Answers 2xx when the server is ready; where absent, taking a connection is enough. */
    readonly path?: string;
  };
}

/** A server under test or beside it. Disposing of it kills it and waits until it is gone. */
export class Server implements AsyncDisposable {
  #port = 0;
  readonly #child: ChildProcess;
  readonly #profile: string | undefined;
  readonly #gone: Promise<unknown>;
  /** However this process ends, the server does not outlive it. */
  readonly #kill = (): void => void this.#child.kill("SIGKILL");

  private constructor(child: ChildProcess, profile: string | undefined) {
    this.#child = child;
    this.#profile = profile;
    this.#gone = once(child, "exit");
    process.on("exit", this.#kill);
  }

  /** Resolves when the server listens. Rejects, with nothing left running, where it does not within 20 s. */
  static async start(command: Command): Promise<Server> {
    const child = spawn("taskset", ["-c", String(command.core), command.file, ...command.args], {
      // Not the project's: a `.env` there is for the developer's own gateway.
      cwd: tmpdir(),
      env: { PATH: process.env["PATH"], NODE_ENV: "production", ...command.env },
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    const server = new Server(child, command.profile);
    try {
      server.#port = await server.#listening(command);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Processor time of all threads so far, in ms. */
  cpuMs(): number {
    const threads = readdirSync(`/proc/${this.pid}/task`);
    const runNs = threads.map((id) => Number(readThread(this.pid, id).split(" ")[0]));
    return runNs.reduce((sum, ns) => sum + ns, 0) / 1e6;
  }

  /** What `work` comes to, and the processor time of all threads meanwhile, in ms. The last such work is what a profile shows. */
  async during<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly cpuMs: number }> {
    if (this.#profile !== undefined) await this.#ask({ type: "profile" });
    const before = this.cpuMs();
    const result = await work();
    const cpuMs = this.cpuMs() - before;
    if (this.#profile !== undefined) await this.#ask({ type: "profiled", file: this.#profile });
    return { result, cpuMs };
  }

  /** As {@link during}, with what the process sees of itself; undefined of a server that sees nothing. */
  async observe<T>(
    work: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly cpuMs: number; readonly observation: Observation | undefined }> {
    await this.#ask({ type: "observe" });
    const done = await this.during(work);
    const { observation } = await this.#ask({ type: "observed" });
    return { ...done, observation };
  }

  async #ask(request: Request): Promise<Answer> {
    const answered = once(this.#child, "message") as Promise<[Answer]>;
    this.#child.send(request);
    const gone = this.#gone.then((): never => {
      throw new Error("the server ended while it was measured");
    });
    const [answer] = await Promise.race([answered, gone]);
    return answer;
  }

  /** Resident memory, in KiB. */
  residentKiB(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1]);
  }

  /** What is in use of its heap after a collection. */
  async heapBytes(): Promise<number> {
    const { heapBytes } = await this.#ask({ type: "heap" });
    return heapBytes ?? Number.NaN;
  }

  /** Has it write a snapshot of its heap. */
  async snapshot(file: string): Promise<void> {
    await this.#ask({ type: "snapshot", file });
  }

  /** Resolves when the server has nothing to do any more, or after 15 s. */
  async quiet(): Promise<void> {
    let quietSteps = 0;
    for (let step = 0; step < QUIET_STEPS && quietSteps < 2; step++) {
      const before = this.cpuMs();
      await delay(QUIET_STEP_MS);
      quietSteps = this.cpuMs() - before < QUIET_STEP_MS * QUIET_SHARE ? quietSteps + 1 : 0;
    }
  }

  /** Has it collect its garbage, and gives it some time to give back what that has freed. */
  async collectGarbage(): Promise<void> {
    await this.#ask({ type: "collect" });
    await delay(SWEEP_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await this.#gone;
    process.off("exit", this.#kill);
  }

  async #listening({ port, args }: Command): Promise<number> {
    const settled = new AbortController();
    const { signal } = settled;
    const refusal = (async (): Promise<never> => {
      const why = await Promise.race([
        this.#gone.then(() => "ended before it listened"),
        delay(START_TIMEOUT_MS, "does not listen", { signal }),
      ]);
      throw new Error(`${args.join(" ")} ${why}`);
    })();
    // Whoever comes second has nobody waiting for it.
    refusal.catch(() => undefined);
    try {
      return await Promise.race([port ? reachable(port, signal) : announced(this.#child), refusal]);
    } finally {
      settled.abort();
    }
  }
}

/** What all processes together have had of one core so far, in ms, to the hundredth of a second. */
export function coreBusyMs(core: number): number {
  const line = readFileSync("/proc/stat", "utf8").split("\n")[core + 1] ?? "";
  // user, nice, system, idle, iowait, irq, softirq, steal: see proc_stat(5).
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) * 10;
}

/** A port that nobody listens on now, for servers that cannot be asked for theirs. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function readThread(pid: number, thread: string): string {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8");
  } catch {
    // The thread has ended since it was listed.
    return "0";
  }
}

async function announced(child: ChildProcess): Promise<number> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    const port = /^\{"port":(\d+)\}$/m.exec(text)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error("the server said no port");
}

async function reachable(port: NonNullable<Command["port"]>, signal: AbortSignal): Promise<number> {
  while (!signal.aborted) {
    if (await (port.path === undefined ? takes(port.number) : answers(port.number, port.path))) return port.number;
    await delay(50);
  }
  throw new Error("not reachable");
}

async function takes(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function answers(port: number, path: string): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
  await answer?.text();
  return answer?.ok === true;
}
