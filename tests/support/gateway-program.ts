/** The gateway as a process of its own, for whoever ends it: what it writes, how it ends. */
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../package.json" with { type: "json" };

const MAIN = fileURLToPath(import.meta.resolve("../../src/main.ts"));

/** What starts the gateway: of the command the first word is the program. */
export const START_COMMAND: readonly [string, ...string[]] = [process.execPath, MAIN];

/** As {@link START_COMMAND}, with the options that `npm start` gives to Node.js. */
export const NPM_START_COMMAND: readonly [string, ...string[]] = [
  process.execPath,
  ...manifest.scripts.start.split(" ").filter((word) => word.startsWith("--")),
  MAIN,
];

export interface ProcessOptions {
  /** The whole environment but for PATH: nothing of the test's own gets in. */
  readonly env?: Readonly<Record<string, string>>;
  /** The working directory, where `.env` is read; an empty one for this process alone where absent. */
  readonly cwd?: string;
  /** {@link START_COMMAND} where absent. */
  readonly command?: readonly [string, ...string[]];
}

/** How a process ended: of the two one is null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type LogEntry = Readonly<Record<string, unknown>>;

/** Disposing it kills the process, if it still runs, and waits for its end. */
export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  /** Everything on standard output so far. */
  readonly output: string;
  /** Everything on standard error so far. */
  readonly errors: string;
  /** The lines of standard output so far that are JSON. */
  readonly log: readonly LogEntry[];
  /** Resolves to the first match in standard output, what is there already included. Rejects where the process ends without. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves to the first log entry with that `msg`, as {@link printed}. */
  logged(msg: string): Promise<LogEntry>;
  /** The GraphQL endpoint, as the log says it. */
  url(): Promise<string>;
  /** Writes to standard input. */
  type(text: string): void;
  send(signal: NodeJS.Signals): void;
  /** Whether the process is gone. */
  readonly isOver: boolean;
  /** Resolves when the process is gone and everything that it wrote has been read. */
  readonly exited: Promise<Exit>;
}

/** Starts the gateway as a process of its own. */
export async function runProcess(options: ProcessOptions = {}): Promise<RunningProcess> {
  await using starting = new AsyncDisposableStack();
  const cwd = options.cwd ?? starting.use(await temporaryDirectory()).path;
  const [program, ...args] = options.command ?? START_COMMAND;
  const child = spawn(program, args, { cwd, env: { PATH: process.env["PATH"], ...options.env } });
  const events = new EventEmitter().setMaxListeners(0);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      texts[name] += chunk;
      events.emit("change");
    });
  }
  // Typing to a process that has just ended is no failure of the test's.
  child.stdin.on("error", () => undefined);
  let ended: Exit | undefined;
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      ended = { code, signal };
      resolve(ended);
      events.emit("change");
    });
  });
  starting.defer(async () => {
    if (!ended) child.kill("SIGKILL");
    await exited;
  });

  async function until<T>(what: string, find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (ended) throw new Error(`ended without ${what}: ${JSON.stringify(ended)}\n${texts.stdout}${texts.stderr}`);
      await once(events, "change");
    }
  }
  const logged = (msg: string): Promise<LogEntry> =>
    until(`the log entry "${msg}"`, () => entriesOf(texts.stdout).find((entry) => entry["msg"] === msg));

  const running = starting.move();
  return {
    pid: child.pid ?? 0,
    get output() {
      return texts.stdout;
    },
    get errors() {
      return texts.stderr;
    },
    get log() {
      return entriesOf(texts.stdout);
    },
    get isOver() {
      return ended !== undefined;
    },
    printed: (pattern) => until(String(pattern), () => pattern.exec(texts.stdout) ?? undefined),
    logged,
    url: async () => String((await logged("listening"))["url"]),
    type: (text) => void child.stdin.write(text),
    send: (signal) => void child.kill(signal),
    exited,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** An empty directory that is deleted when it is disposed. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  return mkdtempDisposable(join(tmpdir(), "gateway-"));
}

/** The last line may not have come whole yet. */
function entriesOf(text: string): readonly LogEntry[] {
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogEntry);
}
