/**
 * `npm run cold-start -- [--runs <n>]`: packs the packages, installs them into an empty folder, and measures how long the installed command
 * takes from its start until the gateway listens: the first time, when everything is compiled, and then with V8's compile cache.
 */
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

/** Milliseconds from the start of the process until it says that it listens. */
async function start(): Promise<number> {
  const startedAt = performance.now();
  await using gateway = await runProcess({ command: installed.command(), env });
  await gateway.url();
  const ms = performance.now() - startedAt;
  gateway.send("SIGTERM");
  // The cache is written at the end.
  await gateway.exited;
  return ms;
}

const first = await start();
const times: number[] = [];
for (let run = 0; run < runs; run++) times.push(await start());
const { median, min, max } = summarise(times) ?? { median: first, min: first, max: first };
process.stdout.write(
  `listens after ${median.toFixed(0)} ms (${min.toFixed(0)}–${max.toFixed(0)}, ${runs} starts) with the compile cache, ` +
    `${first.toFixed(0)} ms without\n`,
);
