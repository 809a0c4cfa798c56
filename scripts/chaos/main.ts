/**
 * Three gateways, a Redis and a load balancer, to which things happen at random while people talk:
 * `npm run chaos -- [--minutes <n>] [--seed <n>] [--starve] [--only <part of a fault's name>]…`. Prints what happened; exits with 1 where
 * anything was lost, came twice, was out of order, or where somebody was seen online who was not, or the other way round. With `--starve` everything shares one core
 * with busy loops.
 */
import { randomInt } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, parseArgs } from "node:util";
import { startInstances, type Instances } from "../../tests/support/instances.ts";
import { endWithSupervisor, isSupervised, keepBusy, supervise } from "../supervisor.ts";
import { nextFault } from "./faults.ts";
import { People } from "./people.ts";
import { createRandom, type Random } from "./random.ts";
import { Summary } from "./summary.ts";

/** After so many faults everything is left alone, and looked at. */
const FAULTS_A_ROUND = 5;

/** How long everything may take to come right when nothing breaks any more: more than PRESENCE_TTL. */
const PATIENCE_MS = 15_000;

/** How many times as long everything may take on a core that is shared. What is right and wrong stays the same. */
const STARVED_FACTOR = 6;

/** A round goes on when the time is over, and a single one may have five of the longest faults. */
const LONGEST_ROUND_MS = 300_000;

const ENVIRONMENT = {
  HTTP_API_IDEMPOTENT: "true",
  PRESENCE_TTL: "1500",
  // A resume is never longer than is allowed.
  REPLAY_LIMIT: "10000",
};

/** A starved process is late with what keeps a user online, a socket open or a request alive. */
const STARVED_ENVIRONMENT = {
  PRESENCE_TTL: "15000",
  HTTP_API_TIMEOUT: "60000",
  CONNECTION_INIT_TIMEOUT: "60000",
  HEARTBEAT_INTERVAL: "60000",
  RESUME_WINDOW: "600000",
};

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    starve: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});
const seed = Number(values.seed ?? randomInt(2 ** 31));
const durationMs = Number(values.minutes) * 60_000;
const isStarved = values.starve;
const factor = isStarved ? STARVED_FACTOR : 1;
if (!(durationMs > 0) || !Number.isInteger(seed)) throw new Error("--minutes and --seed are numbers");

async function round(instances: Instances, random: Random, summary: Summary): Promise<void> {
  // Their own, so that the faults of a seed do not depend on who was faster.
  await using people = await People.gather(instances, createRandom(random.next() * 2 ** 32));
  const faults = (async () => {
    for (let count = 0; count < FAULTS_A_ROUND; count++) {
      await sleep(random.between(200, 1500));
      const fault = nextFault(random, values.only);
      summary.note(fault.name);
      await fault.befall(instances, random);
      await instances.answerReady(200);
      if (fault.losesMemory) await people.confirmed(PATIENCE_MS * factor);
    }
    await sleep(500);
  })();
  await people.liveUntil(faults);
  await faults;
  const complaints = await people.settle(PATIENCE_MS * factor);
  summary.judge(people, people.history.judge(), complaints);
}

async function run(): Promise<void> {
  using stack = new DisposableStack();
  if (isStarved) stack.use(keepBusy());
  const random = createRandom(seed);
  const summary = new Summary({ seed, isStarved });
  await using instances = await startInstances({
    environment: { ...ENVIRONMENT, ...(isStarved ? STARVED_ENVIRONMENT : {}) },
  });
  const end = performance.now() + durationMs;
  while (performance.now() < end) await round(instances, random, summary);
  for (const { process: gateway } of instances.all) {
    if (gateway.isOver) summary.complain("a gateway ended by itself");
    if (gateway.errors !== "") summary.complain(`a gateway wrote to standard error: ${gateway.errors}`);
  }
  process.stdout.write(`${summary.text}\n`);
  if (!summary.isClean) process.exitCode = 1;
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
  const limitMs = durationMs + LONGEST_ROUND_MS * Math.sqrt(factor);
  process.exitCode = await supervise({ script: import.meta.url, isStarved, limitMs });
}
