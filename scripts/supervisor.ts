/**
 * Runs a script as a process of its own, the leader of a group, which ends whatever happens: when the script is done, when its time is
 * over, or when this process is told to end. Nothing that it started outlives it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Programs that take what they can of the core that everything shares. */
const BUSY_LOOPS = 2;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface SupervisedOptions {
  /** Its `import.meta.url`. */
  readonly script: string;
  /** Whether everything runs on one core, with busy loops beside it. */
  readonly isStarved: boolean;
  /** The script, and everything that it started, is killed then. */
  readonly limitMs: number;
}

/** Whether this process is the one that {@link supervise} started. */
export function isSupervised(): boolean {
  return process.send !== undefined;
}

/** Starts this script again, with the same arguments. Resolves to its exit code, or to 1 where it did not end by itself. */
export async function supervise({ script, isStarved, limitMs }: SupervisedOptions): Promise<number> {
  const node = [process.execPath, fileURLToPath(script), ...process.argv.slice(2)];
  const [program = "", ...args] = isStarved ? ["taskset", "-c", await firstCore(), ...node] : node;
  // The channel tells the script when this process is gone.
  const child = spawn(program, args, { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // Nobody is left.
    }
  };
  const fuse = setTimeout(() => {
    process.stderr.write(`not over after ${limitMs / 1000} s: killed\n`);
    killGroup();
  }, limitMs);
  for (const signal of SIGNALS) process.on(signal, killGroup);
  await once(child, "exit");
  clearTimeout(fuse);
  for (const signal of SIGNALS) process.off(signal, killGroup);
  killGroup();
  return child.exitCode ?? 1;
}

/** Of the script: ends with everything that it started when the supervisor is gone. */
export function endWithSupervisor(): void {
  process.once("disconnect", () => process.kill(-process.pid, "SIGKILL"));
}

/** Of the script: takes the core from everything else on it, until disposed. */
export function keepBusy(): Disposable {
  const loops = Array.from({ length: BUSY_LOOPS }, () =>
    spawn("sh", ["-c", "while :; do :; done"], { stdio: "ignore" }),
  );
  return {
    [Symbol.dispose]() {
      for (const loop of loops) loop.kill("SIGKILL");
    },
  };
}

/** The first one on which this process may run. */
async function firstCore(): Promise<string> {
  const status = await readFile("/proc/self/status", "utf8");
  const core = /^Cpus_allowed_list:\s*(\d+)/m.exec(status)?.[1];
  if (core === undefined) throw new Error("there is no core to share");
  return core;
}
