/**
 * Three gateways behind a load balancer, of which one after the other is stopped and started again, while stock clients talk:
 * `npm run rolling -- [--minutes <n>] [--seed <n>] [--signal SIGKILL|SIGTERM|both] [--clients <n>] [--rate <n>] [--starve]`. Prints a
 * row of a table; exits with 1 where anything was missed, came twice on one connection, or was out of order.
 */
import { randomInt, randomUUID } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, parseArgs } from "node:util";
import { startInstances, type Instances } from "../../tests/support/instances.ts";
import { judge } from "../../tests/support/verdict.ts";
import { createRandom, type Random } from "../chaos/random.ts";
import { endWithSupervisor, isSupervised, keepBusy, supervise } from "../supervisor.ts";
import type { Member } from "./protocol.ts";
import { Workers } from "./workers.ts";

const WORKERS = 3;

const CHAT_SIZE = 10;

/** How long everybody may take to receive everything when nothing is stopped any more; a stock client may wait for longest. */
const PATIENCE_MS = 30_000;

/** How many times as long everything may take on a core that is shared. What is right and wrong stays the same. */
const STARVED_FACTOR = 6;

/** Beside the time of the run and the patience: the start, and the last instance that is started again. */
const OVERHEAD_MS = 60_000;

const ENVIRONMENT = { HTTP_API_IDEMPOTENT: "true", REPLAY_LIMIT: "10000" };

const STARVED_ENVIRONMENT = {
  PRESENCE_TTL: "15000",
  HTTP_API_TIMEOUT: "60000",
  CONNECTION_INIT_TIMEOUT: "60000",
  HEARTBEAT_INTERVAL: "60000",
  RESUME_WINDOW: "600000",
};

const SIGNALS = { SIGKILL: ["SIGKILL"], SIGTERM: ["SIGTERM"], both: ["SIGKILL", "SIGTERM"] } as const;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string" },
    signal: { type: "string", default: "both" },
    clients: { type: "string", default: "300" },
    rate: { type: "string", default: "100" },
    starve: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed ?? randomInt(2 ** 31));
const [durationMs, clients, rate] = [Number(values.minutes) * 60_000, Number(values.clients), Number(values.rate)];
const factor = values.starve ? STARVED_FACTOR : 1;
const { signal } = values;
if (!(durationMs > 0) || !Number.isInteger(seed) || !(clients > 0) || !(rate > 0)) throw new Error("expected numbers");
if (!isSignal(signal)) throw new Error("--signal is SIGKILL, SIGTERM or both");

function isSignal(name: string): name is keyof typeof SIGNALS {
  return name in SIGNALS;
}

/** Everybody is in one chat. */
function createMembers({ api: { data } }: Instances): readonly Member[] {
  const users = Array.from({ length: clients }, (_, n) =>
    data.createUser({ name: `Client ${n + 1}`, token: randomUUID() }),
  );
  const chats = Array.from({ length: Math.ceil(clients / CHAT_SIZE) }, (_, n) =>
    users.slice(n * CHAT_SIZE, (n + 1) * CHAT_SIZE),
  );
  return chats.flatMap((members) => {
    const { id: chatId } = data.createChat({ participants: members.map(({ id }) => id) });
    return members.map(({ name, token }) => ({ name, token, chatId }));
  });
}

/** Resolves to how often an instance was stopped. */
async function roll({ all }: Instances, random: Random, signals: readonly [Signal, ...Signal[]]): Promise<number> {
  const end = performance.now() + durationMs;
  let stops = 0;
  for (; performance.now() < end; stops++) {
    const instance = all[stops % all.length] ?? all[0];
    await instance.stop(random.pick(signals));
    await sleep(random.between(0, 1500));
    await instance.restart();
    await instance.answersReady(200);
    await sleep(random.between(500, 2000));
  }
  return stops;
}

type Signal = "SIGKILL" | "SIGTERM";

/** A count that has to be 0. */
function emphasized(count: number): string {
  return count === 0 ? "0" : `**${count}**`;
}

async function run(signals: readonly [Signal, ...Signal[]]): Promise<void> {
  using stack = new DisposableStack();
  if (values.starve) stack.use(keepBusy());
  await using instances = await startInstances({
    environment: { ...ENVIRONMENT, ...(values.starve ? STARVED_ENVIRONMENT : {}) },
  });
  const members = createMembers(instances);
  using workers = await Workers.start({ count: WORKERS, wsUrl: instances.wsUrl, members, rate, seed });
  const startedAt = performance.now();
  const stops = await roll(instances, createRandom(seed), signals);
  const seconds = (performance.now() - startedAt) / 1000;
  const { said, received, refused, reconnects } = await workers.finish(PATIENCE_MS * factor);
  const verdict = judge(said, received);
  for (const fault of verdict.faults) process.stderr.write(`VIOLATION: ${fault}\n`);
  const cells = {
    signal,
    starved: values.starve ? "yes" : "no",
    seed,
    clients,
    rate: `${(said.length / seconds).toFixed(0)}/s`,
    stops,
    reconnects,
    messages: said.length,
    "refused and repeated": refused,
    deliveries: verdict.received,
    "repeated after a reconnect": verdict.repeated,
    missed: emphasized(verdict.lost),
    ended: emphasized(verdict.ended),
    doubled: emphasized(verdict.doubled),
    "orders that differ": emphasized(verdict.disordered),
  };
  const rows = [Object.keys(cells), Object.keys(cells).map(() => "---"), Object.values(cells)];
  process.stdout.write(rows.map((row) => `| ${row.join(" | ")} |\n`).join(""));
  if (verdict.faults.length > 0 || said.length === 0) process.exitCode = 1;
}

if (isSupervised()) {
  endWithSupervisor();
  await run(SIGNALS[signal]).catch((error: unknown) => {
    process.stderr.write(`${inspect(error)}\n`);
    process.exitCode = 1;
  });
  // Whatever still waits for something is not waited for.
  process.exit();
} else {
  const limitMs = durationMs + (2 * PATIENCE_MS + OVERHEAD_MS) * factor;
  process.exitCode = await supervise({ script: import.meta.url, isStarved: values.starve, limitMs });
}
