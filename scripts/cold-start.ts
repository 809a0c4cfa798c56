/**
 * `npm run cold-start -- [--runs <n>]`: packs the packages, installs them into an empty folder, and measures how long the installed command
 * takes from its start until the gateway listens: the first time, when everything is compiled, and then with V8's compile cache.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { summarise } from "../bench/report/statistics.ts";
import { startDevApi } from "../src/dev/api.ts";
import { installPackages } from "../tests/package/installed.ts";
import { runProcess, temporaryDirectory } from "../tests/support/gateway-program.ts";

const { values } = parseArgs({ options: { runs: { type: "string", default: "10" } } });
const runs = Number(values.runs);
if (!(runs > 0)) throw new Error("--runs is a number");

await using api = await startDevApi({ file: ":memory:" });
await using installed = await installPackages();
await using cache = await temporaryDirectory();
const env = {
  HTTP_API_URL: api.url,
  HOST: "127.0.0.1",
  PORT: "0",
  DRAIN_WINDOW: "0",
  NODE_ENV: "production",
  NODE_COMPILE_CACHE: cache.path,
};

interface Start {
  /** From the start of the process until it says that it listens. */
  readonly ms: number;
  /** Processor time that it has used until then. */
  readonly cpuMs: number;
}

/** Of all threads of a process, to the hundredth of a second. */
function cpuMsOf(pid: number): number {
  // What comes after the name of the program, which may have spaces in it: see proc_pid_stat(5).
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function start(): Promise<Start> {
  const startedAt = performance.now();
  await using gateway = await runProcess({ command: installed.command(), env });
  await gateway.url();
  const [ms, cpuMs] = [performance.now() - startedAt, cpuMsOf(gateway.pid)];
  gateway.send("SIGTERM");
  // The cache is written at the end.
  await gateway.exited;
  return { ms, cpuMs };
}

function told(starts: readonly Start[], what: keyof Start): string {
  const { median, min, max } = summarise(starts.map((one) => one[what])) ?? { median: 0, min: 0, max: 0 };
  return `${median.toFixed(0)} ms (${min.toFixed(0)}–${max.toFixed(0)})`;
}

const first = await start();
const starts: Start[] = [];
for (let run = 0; run < runs; run++) starts.push(await start());
process.stdout.write(
  `with the compile cache, ${runs} starts: listens after ${told(starts, "ms")}, ${told(starts, "cpuMs")} of processor time\n` +
    `without it, one start: ${first.ms.toFixed(0)} ms, ${first.cpuMs} ms of processor time\n`,
);
