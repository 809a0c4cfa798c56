/**
 * Clients that come and go for as long as is asked, at a gateway in memory, and then at one on Redis:
 * `npm run soak -- [--minutes <n>] [--bus memory|redis] [--clients <n>] [--stay <seconds>] [--seed <n>] [--picture <file>]`. Draws memory,
 * handles, entries of maps and keys of Redis as an SVG file; exits with 1 where they are not back at the warm level afterwards, or a visit failed.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, parseArgs } from "node:util";
import { createRandom } from "../chaos/random.ts";
import { endWithSupervisor, isSupervised, supervise } from "../supervisor.ts";
import { Churn, createClients } from "./churn.ts";
import { BUSES, faultsOf, quantitiesOf, startObserved, type BusName, type Holding, type Observed } from "./held.ts";
import { soakPicture, type Course, type Sample } from "./picture.ts";

/** At most so many samples while clients come and go: each stops the gateway for seconds, since it looks at every object of the heap. */
const SAMPLES = 8;
const SAMPLE_MS = 2000;

/** What is kept for a client that may come back is kept for so long. */
const RESUME_WINDOW_MS = 2000;

/** From when nobody is connected: what is kept for clients that may come back, or whose presence may be renewed, has expired and was swept. */
const SETTLE_MS = 6000;

/** For what has to come to an end when everybody has left. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 500;

/** Of the warm-up: every client visits once. Many times what it takes. */
const WARM_UP_MS = 180_000;

const ENVIRONMENT = {
  RESUME_WINDOW: String(RESUME_WINDOW_MS),
  // A sample must not take longer: who does not answer in time is dropped.
  HEARTBEAT_INTERVAL: "60000",
  PRESENCE_GRACE: "1000",
  PRESENCE_TTL: "4000",
  HTTP_API_IDEMPOTENT: "true",
  // Clients, the gateway and the REST API share the machine.
  HTTP_API_TIMEOUT: "60000",
  CONNECTION_INIT_TIMEOUT: "60000",
};

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    bus: { type: "string" },
    clients: { type: "string", default: "2000" },
    stay: { type: "string", default: "20" },
    seed: { type: "string" },
    picture: { type: "string", default: join(tmpdir(), "soak.svg") },
  },
});
const seed = Number(values.seed ?? randomInt(2 ** 31));
const [durationMs, clientCount, stayMs] = [
  Number(values.minutes) * 60_000,
  Number(values.clients),
  Number(values.stay) * 1000,
];
if (!(durationMs > 0) || !Number.isInteger(seed) || !(clientCount > 0) || !(stayMs > 0))
  throw new Error("expected numbers");
const buses = BUSES.filter((bus) => values.bus === undefined || values.bus === bus);
if (buses.length === 0) throw new Error(`--bus is one of ${BUSES.join(", ")}`);

interface Result extends Course {
  readonly faults: readonly string[];
}

async function soak(bus: BusName): Promise<Result> {
  await using observed = await startObserved(bus, ENVIRONMENT);
  const { url, wsUrl } = observed;
  const clients = createClients(observed.api, clientCount);
  const options = { url, wsUrl, clients, random: createRandom(seed), stayMs };
  await Churn.visitOnce(options);
  // What is compiled, or made, at the first visit of each kind is there then.
  await churn(new Churn(options), stayMs);
  const warm = await whenEmpty(observed);
  const startedAt = performance.now();
  const samples: Sample[] = [{ seconds: 0, held: warm }];
  const take = (held: Holding): number => samples.push({ seconds: (performance.now() - startedAt) / 1000, held });
  const churning = new Churn(options);
  const count = Math.min(SAMPLES, Math.ceil(durationMs / SAMPLE_MS));
  for (let nth = 0; nth < count; nth++) {
    await sleep(durationMs / count);
    take(await churning.whileStill(() => observed.hold()));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await churning.end();
  const after = await whenEmpty(observed);
  take(after);
  process.stdout.write(`${report(bus, churning, seconds, samples)}\n`);
  const failures = churning.failures.length > 0 ? [`${churning.failures.length} visits, ${churning.failures[0]}`] : [];
  return {
    bus,
    samples,
    faults: [...faultsOf(warm, after, churning.messages), ...failures].map((fault) => `${bus}: ${fault}`),
  };
}

async function churn(churning: Churn, ms: number): Promise<void> {
  await sleep(ms);
  await churning.end();
  if (churning.failures.length > 0) throw new Error(churning.failures[0]);
}

/** Resolves when nobody is connected, and what is kept for those who were has expired. */
async function whenEmpty(observed: Observed): Promise<Holding> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const open = await observed.open();
    if (Object.values(open).every((gauge) => gauge === 0)) break;
    if (performance.now() > end) throw new Error(`left of the connections: ${JSON.stringify(open)}`);
    await sleep(LOOK_MS);
  }
  await sleep(SETTLE_MS);
  // The requests that the development API lists are no concern of the gateway's.
  observed.api.faults.requests.clear();
  // Some of what one garbage collection lets go is freed by the next.
  await observed.hold();
  return observed.hold();
}

function report(bus: BusName, { visits, messages }: Churn, seconds: number, samples: readonly Sample[]): string {
  const [warm, after] = [samples[0]?.held, samples.at(-1)?.held];
  if (!warm || !after) throw new Error("nothing was measured");
  const rows = quantitiesOf(warm).map((quantity) => {
    const most = Math.max(...samples.map(({ held }) => held[quantity] ?? 0));
    const cells = [warm[quantity] ?? 0, most, after[quantity] ?? 0];
    const told = cells.map((value) =>
      quantity.endsWith("Bytes") ? `${(value / 2 ** 20).toFixed(1)} MiB` : value.toLocaleString("en"),
    );
    return `| ${[quantity, ...told].join(" | ")} |`;
  });
  const head = `${bus}: ${clientCount} clients, ${visits} visits and ${messages} messages in ${seconds.toFixed(0)} s, seed ${seed}`;
  return [head, "", "| | warm | highest | afterwards |", "|---|---:|---:|---:|", ...rows, ""].join("\n");
}

async function run(): Promise<void> {
  const results: Result[] = [];
  for (const bus of buses) results.push(await soak(bus));
  writeFileSync(values.picture, soakPicture(results));
  process.stdout.write(`the picture: ${values.picture}\n`);
  const faults = results.flatMap((result) => result.faults);
  for (const fault of faults) process.stderr.write(`VIOLATION: ${fault}\n`);
  if (faults.length > 0) process.exitCode = 1;
}

if (isSupervised()) {
  endWithSupervisor();
  await run().catch((error: unknown) => {
    process.stderr.write(`${inspect(error)}\n`);
    process.exitCode = 1;
  });
  // Whatever still waits for something is not waited for.
  process.exit();
} else {
  const limitMs = buses.length * (durationMs + 4 * stayMs + WARM_UP_MS + 2 * (PATIENCE_MS + SETTLE_MS));
  process.exitCode = await supervise({ script: import.meta.url, isStarved: false, limitMs });
}
