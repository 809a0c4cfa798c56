/**
 * Three gateways, a Redis and a load balancer, to which things happen at random while people talk:
 * `npm run chaos -- [--minutes <n>] [--seed <n>]`. Prints what happened; exits with 1 where anything was lost, came twice, was out of
 * order, or where somebody was seen online who was not, or the other way round.
 */
import { randomInt } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, parseArgs } from "node:util";
import { startInstances, type Instances } from "../../tests/support/instances.ts";
import { nextFault, type Fault } from "./faults.ts";
import { People } from "./people.ts";
import { createRandom, type Random } from "./random.ts";
import { Summary } from "./summary.ts";

/** After so many faults everything is left alone, and looked at. */
const FAULTS_A_ROUND = 5;

/** How long everything may take to come right when nothing breaks any more: more than PRESENCE_TTL. */
const PATIENCE_MS = 15_000;

const ENVIRONMENT = {
  HTTP_API_IDEMPOTENT: "true",
  // What a client has received is confirmed so often that a resume is never longer than is allowed.
  HEARTBEAT_INTERVAL: "2000",
  REPLAY_LIMIT: "10000",
};

const { values } = parseArgs({ options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } } });
const seed = Number(values.seed ?? randomInt(2 ** 31));
const durationMs = Number(values.minutes) * 60_000;
if (!(durationMs > 0) || !Number.isInteger(seed)) throw new Error("--minutes and --seed are numbers");

async function befall(fault: Fault, instances: Instances, people: People, random: Random): Promise<void> {
  const work = async (): Promise<void> => {
    await fault.befall(instances, random);
    await instances.answerReady(200);
  };
  if (fault.losesLog) people.history.logLost();
  people.pace = fault.pace ?? 1;
  await (fault.isOutage ? people.history.during(work) : work());
  people.pace = 1;
}

async function round(instances: Instances, random: Random, summary: Summary): Promise<void> {
  // Their own, so that the faults of a seed do not depend on who was faster.
  await using people = await People.gather(instances, createRandom(random.next() * 2 ** 32));
  const faults = (async () => {
    for (let count = 0; count < FAULTS_A_ROUND; count++) {
      await sleep(random.between(200, 1500));
      const fault = nextFault(random);
      summary.note(fault.name);
      await befall(fault, instances, people, random);
    }
    await sleep(500);
  })();
  await people.liveUntil(faults);
  await faults;
  summary.judge(people, await people.verdict(PATIENCE_MS));
}

async function main(): Promise<void> {
  const random = createRandom(seed);
  const summary = new Summary(seed);
  const end = performance.now() + durationMs;
  await using instances = await startInstances({ environment: ENVIRONMENT });
  while (performance.now() < end) await round(instances, random, summary);
  for (const { process: gateway } of instances.all) {
    if (gateway.isOver) summary.complain("a gateway ended by itself");
    if (gateway.errors !== "") summary.complain(`a gateway wrote to standard error: ${gateway.errors}`);
  }
  process.stdout.write(`${summary.text}\n`);
  if (!summary.isClean) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${inspect(error)}\n`);
  process.exitCode = 1;
});
