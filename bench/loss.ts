/**
 * What clients lose, and get twice, when something breaks: `node loss.ts [--seconds <n>]`. Two servers on one Redis; whoever sends is
 * never where it is heard. Prints a table for docs/DELIVERY.md.
 */
import { performance } from "node:perf_hooks";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startDevApi, type DevApi } from "../src/dev/api.ts";
import { Hearer, Sender } from "./load/hearers.ts";
import { describeMachine } from "./machine.ts";
import { openStage, PEERS, type Peer, type Stage } from "./peers.ts";
import { LOSSES, type Loss, type Place } from "./scenarios/losses.ts";
import { startRelay } from "../tests/support/relay.ts";

const RATE = 250;
const HEARERS = 4;

/** So long nothing has come where nothing more is expected. */
const QUIET_MS = 20_000;

/** Between two looks at what has come. */
const LOOK_MS = 100;

/** After everything has come: what comes twice may come later. */
const AFTERWARDS_MS = 3000;

interface Outcome {
  readonly sent: number;
  readonly expected: number;
  readonly lost: number;
  readonly twice: number;
  readonly again: number;
  readonly note: string;
}

async function measure(peer: Peer, loss: Loss, seconds: number): Promise<Outcome> {
  await using opening = new AsyncDisposableStack();
  const api = opening.use(await startDevApi({ file: ":memory:" }));
  const world = { people: 10, chatSize: 10, chatsPerUser: 1 };
  const stage = opening.use(await openStage(peer, { world, persist: "rest", instances: 2, restUrl: api.url }));
  const [near, far] = stage.servers.map(({ port }) => `ws://127.0.0.1:${port}/graphql`);
  const relay = opening.use(await startRelay(far ?? ""));
  const hearers = Array.from({ length: HEARERS }, () => opening.use(new Hearer(relay.url, tokenOf(api, 1))));
  const senders = Array.from({ length: 10 }, () =>
    opening.use(new Sender(near ?? "", tokenOf(api, 0), api.demoChatId)),
  );
  await listening(hearers, senders);
  const memory = stage.servers[1]?.residentKiB() ?? 0;
  const keep = (started: AsyncDisposable): void => void opening.use(started);
  const faults = loss.befall({ relay, stage, hearers, keep } satisfies Place, seconds * 1000);
  await Promise.all([talk(senders, seconds * 1000), faults]);
  await comeToRest(senders, hearers);
  return judge(senders, hearers, grown(stage, memory));
}

function tokenOf({ users }: DevApi, index: number): string {
  return users[index]?.token ?? "";
}

/** Subscribing is not acknowledged: it stands when a message arrives. */
async function listening(hearers: readonly Hearer[], senders: readonly Sender[]): Promise<void> {
  while (hearers.some(({ heard }) => heard.length === 0)) {
    await senders[0]?.say();
    await delay(50);
  }
  for (const sender of senders) sender.said.length = 0;
  for (const hearer of hearers) hearer.heard.length = 0;
}

/** By the clock: a server that does not answer is not waited for. */
async function talk(senders: readonly Sender[], durationMs: number): Promise<void> {
  const start = performance.now();
  for (let turn = 0; performance.now() - start < durationMs;) {
    for (; turn < ((performance.now() - start) / 1000) * RATE; turn++) void senders[turn % senders.length]?.say();
    await delay(2);
  }
}

/** Resolves when everybody has heard everything, or nothing has come for long. */
async function comeToRest(senders: readonly Sender[], hearers: readonly Hearer[]): Promise<void> {
  const heard = (): number => hearers.reduce((sum, hearer) => sum + hearer.heard.length, 0);
  for (let before = heard(), since = performance.now(); lostBy(senders, hearers) > 0;) {
    await delay(LOOK_MS);
    const now = heard();
    if (now !== before) [before, since] = [now, performance.now()];
    else if (performance.now() - since > QUIET_MS) return;
  }
  await delay(AFTERWARDS_MS);
}

function lostBy(senders: readonly Sender[], hearers: readonly Hearer[]): number {
  const said = new Set(senders.flatMap((sender) => sender.said));
  return hearers.reduce((sum, { heard }) => {
    const ids = new Set(heard.map(({ id }) => id));
    return sum + [...said].filter((id) => !ids.has(id)).length;
  }, 0);
}

function judge(senders: readonly Sender[], hearers: readonly Hearer[], note: string): Outcome {
  const said = new Set(senders.flatMap((sender) => sender.said));
  const lost = lostBy(senders, hearers);
  let [twice, again] = [0, 0];
  for (const { heard } of hearers) {
    const seen = new Map<string, number>();
    for (const { id, connection } of heard) {
      const earlier = seen.get(id);
      if (earlier === connection) twice++;
      else if (earlier !== undefined) again++;
      seen.set(id, connection);
    }
  }
  return { sent: said.size, expected: said.size * hearers.length, lost, twice, again, note };
}

function grown({ servers }: Stage, before: number): string {
  try {
    const mebibytes = Math.round(((servers[1]?.residentKiB() ?? 0) - before) / 1024);
    return `${mebibytes < 0 ? "−" : "+"}${Math.abs(mebibytes)} MiB`;
  } catch {
    return "the server ended";
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seconds: { type: "string", default: "10" } } });
  const rows: string[] = [];
  for (const loss of LOSSES) {
    for (const peer of PEERS.filter(({ name }) => name === "gateway" || name === "recipe-redis")) {
      const { sent, expected, lost, twice, again, note } = await measure(peer, loss, Number(values.seconds));
      rows.push(`| ${[loss.name, peer.title, sent, expected, `**${lost}**`, twice, again, note].join(" | ")} |`);
      process.stderr.write(`${rows.at(-1)}\n`);
    }
  }
  const machine = Object.entries(describeMachine()).map(([name, value]) => `${name} ${value}`);
  const head = [
    "",
    "",
    "sent and answered",
    "to be heard",
    "lost",
    "twice on one connection",
    "once more after a reconnect",
    "memory",
  ];
  process.stdout.write(
    `${[
      `Measured on ${new Date().toISOString().slice(0, 10)} with \`node bench/loss.ts --seconds ${values.seconds}\`: ${machine.join(", ")}.`,
      "",
      `| ${head.join(" | ")} |`,
      `| --- | --- |${" ---: |".repeat(head.length - 2)}`,
      ...rows,
    ].join("\n")}\n`,
  );
}

await main();
