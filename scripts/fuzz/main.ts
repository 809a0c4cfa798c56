/**
 * `npm run fuzz -- [--minutes <n>] [--seed <n>]`: frames, requests and orders of messages that a hostile client may send, to two gateways in
 * this process, one with compression. Exits with 1, and prints the smallest input, where one of them answers INTERNAL_SERVER_ERROR, closes
 * with 4500, logs a defect, crashes, or keeps something.
 */
import { randomInt } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { parseConfig } from "../../src/config/config.ts";
import { startDevApi } from "../../src/dev/api.ts";
import { createGateway } from "../../src/gateway.ts";
import { Fuzz, type Target } from "../../tests/support/fuzz/fuzz.ts";

/** Connections of one round. */
const RUNS_A_ROUND = 100;

/** Rounds after which everything that is there once is there. */
const WARM_ROUNDS = 4;

/** What may be left: caches fill up, and code is compiled. */
const HEAP_MARGIN_BYTES = 40_000_000;
const RESOURCES_MARGIN = 20;

/** Closing handshakes and what waits for a user to come back. */
const SETTLE_MS = 8000;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, seed: { type: "string" } },
});
const firstSeed = Number(values.seed ?? randomInt(2 ** 31));
const untilMs = performance.now() + Number(values.minutes) * 60_000;
if (!Number.isInteger(firstSeed) || !(Number(values.minutes) > 0)) throw new Error("--minutes and --seed are numbers");

await using started = new AsyncDisposableStack();
const defects: string[] = [];
const log = pino(
  { level: "error" },
  {
    write(line: string) {
      defects.push(line);
    },
  },
);

async function startTarget(isCompressed: boolean): Promise<Target> {
  const api = started.use(await startDevApi({ file: ":memory:" }));
  const environment = {
    PORT: "0",
    HOST: "127.0.0.1",
    HTTP_API_URL: api.url,
    COMPRESSION: String(isCompressed),
    DRAIN_WINDOW: "0",
    // What is to be reached is behind these limits.
    RATE_LIMIT_OPERATIONS: "1000000/1s",
    RATE_LIMIT_MESSAGES: "1000000/1s",
    RATE_LIMIT_FAILED_AUTH: "1000000/1s",
  };
  const gateway = started.use(await createGateway(parseConfig(environment), { log }));
  return { url: gateway.url, api, isCompressed };
}

async function settled(): Promise<{ readonly heapBytes: number; readonly resources: number }> {
  await sleep(SETTLE_MS);
  for (let count = 0; count < 3; count++) globalThis.gc?.();
  return { heapBytes: process.memoryUsage().heapUsed, resources: process.getActiveResourcesInfo().length };
}

const fuzzes = [new Fuzz(await startTarget(false)), new Fuzz(await startTarget(true))];
let warm: Awaited<ReturnType<typeof settled>> | undefined;
let rounds = 0;
process.stdout.write(`seed ${firstSeed}\n`);
for (; performance.now() < untilMs || !warm; rounds++) {
  for (const fuzz of fuzzes) await fuzz.run(firstSeed + rounds, RUNS_A_ROUND);
  if (rounds + 1 === WARM_ROUNDS) warm = await settled();
  if (defects.length > 0) break;
}
const end = await settled();
warm ??= end;
const inputs = fuzzes.reduce((sum, fuzz) => sum + fuzz.inputs, 0);
process.stdout.write(
  `${inputs} inputs in ${rounds} rounds; heap ${warm.heapBytes} → ${end.heapBytes} bytes, active resources ${warm.resources} → ${end.resources}\n`,
);
if (defects.length > 0)
  process.stdout.write(`logged as a defect, from seed ${firstSeed + rounds}:\n${defects.join("")}`);
const hasGrown =
  end.heapBytes > warm.heapBytes + HEAP_MARGIN_BYTES || end.resources > warm.resources + RESOURCES_MARGIN;
if (hasGrown) process.stdout.write("something was kept\n");
if (hasGrown || defects.length > 0) process.exitCode = 1;
