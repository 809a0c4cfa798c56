/**
 * `npm run fuzz -- [--inputs <n>] [--minutes <n>] [--seed <n>]`: frames, requests and orders of messages that a hostile client may send, to
 * two gateways in this process, one with compression, until there were so many inputs, or for so long. Exits with 1, and prints the smallest
 * input, where one of them answers INTERNAL_SERVER_ERROR, closes with 4500, does not answer, logs a defect, crashes, or keeps something.
 */
import { randomInt } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { parseConfig } from "../../src/config/config.ts";
import { startDevApi } from "../../src/dev/api.ts";
import { createGateway } from "../../src/gateway.ts";
import { Fuzz } from "../../tests/support/fuzz/fuzz.ts";
import { Harm } from "../../tests/support/fuzz/harm.ts";
import { connectionObjects, openOf } from "../../tests/support/fuzz/leftovers.ts";
import { knownOf, targetOf, UNLIMITED } from "../../tests/support/fuzz/targets.ts";

/** Connections of one round, to each gateway. */
const CONNECTIONS_A_ROUND = 24;
const CONNECTIONS_AT_ONCE = 12;
const MAX_INPUTS = 400;
const SHRINKING_MS = 120_000;

/** After this part of the run caches are full, and code is compiled. */
const WARM = 0.25;

/** What may be left: what the caches hold differs. */
const HEAP_MARGIN_BYTES = 40_000_000;
const RESOURCES_MARGIN = 20;

/** How long what waits for a client to come back, or for a busy machine, may take to end. Seconds are usual. */
const SETTLE_MS = 90_000;
const LOOK_MS = 2000;

/** Typing indicators have ended by then, and idle sockets to the REST API and of the attackers are closed. */
const IDLE_MS = 10_000;

const REPORT_MS = 15_000;

const { values } = parseArgs({
  options: { inputs: { type: "string" }, minutes: { type: "string" }, seed: { type: "string" } },
});
const isUnlimited = values.inputs === undefined && values.minutes === undefined;
const maxInputs = Number(values.inputs ?? Infinity);
const maxMs = Number(values.minutes ?? (isUnlimited ? 5 : Infinity)) * 60_000;
const firstSeed = Number(values.seed ?? randomInt(2 ** 30));
if (!Number.isInteger(firstSeed) || !(maxInputs > 0) || !(maxMs > 0)) {
  throw new Error("--inputs, --minutes and --seed are numbers");
}

interface Attacked {
  readonly fuzz: Fuzz;
  readonly adminUrl: string;
  readonly clearRequests: () => void;
}

interface Level {
  readonly heapBytes: number;
  readonly resources: number;
}

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

async function start(isCompressed: boolean): Promise<Attacked> {
  const api = started.use(await startDevApi({ file: ":memory:" }));
  const environment = {
    ...UNLIMITED,
    PORT: "0",
    HOST: "127.0.0.1",
    ADMIN_PORT: "0",
    HTTP_API_URL: api.url,
    COMPRESSION: String(isCompressed),
    DRAIN_WINDOW: "0",
    // So that what is kept for clients that may come back is gone soon.
    RESUME_WINDOW: "2000",
    HEARTBEAT_INTERVAL: "5000",
  };
  const gateway = started.use(await createGateway(parseConfig(environment), { log }));
  const target = targetOf(gateway.url, isCompressed);
  const limits = { maxInputs: MAX_INPUTS, atOnce: CONNECTIONS_AT_ONCE, shrinkingMs: SHRINKING_MS };
  return {
    fuzz: new Fuzz({ ...limits, target, known: await knownOf(target), defects }),
    adminUrl: gateway.adminUrl ?? "",
    clearRequests: () => api.faults.requests.clear(),
  };
}

/** Waits until nothing is left of the connections. @throws Harm where something stays. */
async function settled(attacked: readonly Attacked[]): Promise<Level> {
  const untilMs = performance.now() + SETTLE_MS;
  for (;;) {
    await sleep(LOOK_MS);
    const open = await Promise.all(attacked.map(({ adminUrl }) => openOf(adminUrl)));
    const connections = connectionObjects();
    const counts = [connections, ...open.flatMap((gauges) => Object.values(gauges))];
    if (counts.every((count) => count === 0)) break;
    if (performance.now() < untilMs) continue;
    throw new Harm(`left of the connections: ${JSON.stringify([...open, { connections }])}`);
  }
  await sleep(IDLE_MS);
  for (const { clearRequests } of attacked) clearRequests();
  for (let count = 0; count < 3; count++) globalThis.gc?.();
  return { heapBytes: process.memoryUsage().heapUsed, resources: process.getActiveResourcesInfo().length };
}

function told({ heapBytes, resources }: Level): string {
  return `${(heapBytes / 1e6).toFixed(1)} MB of heap, ${resources} active resources`;
}

async function run(): Promise<void> {
  const attacked = [await start(false), await start(true)];
  const inputs = (): number => attacked.reduce((sum, { fuzz }) => sum + fuzz.inputs, 0);
  const startMs = performance.now();
  const elapsedMs = (): number => performance.now() - startMs;
  const progress = (): number => Math.max(inputs() / maxInputs, elapsedMs() / maxMs);
  const report = (): void => {
    const seconds = elapsedMs() / 1000;
    process.stdout.write(
      `${inputs()} inputs in ${seconds.toFixed(0)} s, ${(inputs() / seconds).toFixed(0)} a second; next seed ${seed}\n`,
    );
  };
  let warm: Level | undefined;
  let seed = firstSeed;
  process.stdout.write(`seed ${firstSeed}\n`);
  for (let reportedMs = 0; progress() < 1;) {
    await Promise.all(attacked.map(({ fuzz }) => fuzz.run(seed, CONNECTIONS_A_ROUND)));
    seed += CONNECTIONS_A_ROUND;
    if (progress() >= WARM) warm ??= await settled(attacked);
    if (elapsedMs() - reportedMs < REPORT_MS) continue;
    reportedMs = elapsedMs();
    report();
  }
  report();
  const end = await settled(attacked);
  warm ??= end;
  for (const { fuzz } of attacked) {
    const closes = [...fuzz.closes].toSorted(([, one], [, other]) => other - one);
    const codes = closes.map(([code, count]) => `${code}: ${count}`).join(", ");
    process.stdout.write(`${fuzz.connections} connections, closed by the gateway with ${codes}\n`);
  }
  process.stdout.write(`warm: ${told(warm)}; at the end: ${told(end)}\n`);
  if (end.heapBytes > warm.heapBytes + HEAP_MARGIN_BYTES || end.resources > warm.resources + RESOURCES_MARGIN) {
    throw new Harm("something was kept");
  }
}

try {
  await run();
} catch (error) {
  if (!(error instanceof Harm)) throw error;
  process.stdout.write(`${error.message}\n`);
  process.exitCode = 1;
}
