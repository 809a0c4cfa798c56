/** The tables of `docs/CAPACITY.md` and the sizes of `docs/OPERATIONS.md`, and where they are put. */
import { fileURLToPath } from "node:url";
import { readResults, type Results } from "../../bench/report/results.ts";
import { checksOf, costsOf, type Check } from "./costs.ts";
import { demandOf, type Demand, type Load, type Settings, type UnitCosts } from "./demand.ts";
import { readSizes, sizingText } from "./sizing.ts";

export const SIZES: readonly number[] = [10_000, 100_000, 1_000_000, 10_000_000];

export const LOAD: Omit<Load, "connections"> = {
  devices: 1.2,
  chatsPerUser: 20,
  membersPerChat: 10,
  onlineShare: 0.3,
  messagesPerHour: 12,
  receipts: 2,
  resumable: 2,
  sessionMinutes: 30,
};

export const SETTINGS: Settings = {
  heartbeatMs: 30_000,
  recheckIntervalMs: 60_000,
  // SESSION_RECHECK_BUDGET with EVENTS_SECRET, which divides it by five.
  recheckBudget: 10,
  connectionsPerInstance: 18_000,
  coreShare: 0.6,
};

/** What the costs come from. */
export function readMeasured(): Results {
  return readResults(fileURLToPath(new URL("measured.json", import.meta.url)));
}

/** Separate deployments that share nothing: the fewest in which each part has enough. */
export interface Deployments {
  readonly count: number;
  readonly each: Demand;
}

const MOST_DEPLOYMENTS = 1000;

/** An instance has more to do than the presence of everybody, and one master has the channel of all users. */
export function deploymentsOf(load: Load, settings: Settings, costs: UnitCosts): Deployments {
  for (let count = 1; count <= MOST_DEPLOYMENTS; count++) {
    const each = demandOf({ ...load, connections: load.connections / count }, settings, costs);
    const isEnough = each.presenceShare <= settings.coreShare / 2 && each.usersMasterShare <= settings.coreShare;
    if (each.instances !== undefined && isEnough) return { count, each };
  }
  throw new Error("no number of deployments is enough");
}

type Row = readonly [name: string, value: (deployments: Deployments) => string];

const whole = (value: number): string => Math.round(value).toLocaleString("en");
const percent = (value: number): string => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;

const ROWS: readonly Row[] = [
  ["messages and receipts a second", ({ count, each }) => whole(count * each.eventsPerSecond)],
  ["deliveries a second", ({ count, each }) => whole(count * each.deliveriesPerSecond)],
  ["connections opened a second", ({ count, each }) => whole(count * each.connectsPerSecond)],
  ["**separate deployments**", ({ count }) => `**${whole(count)}**`],
  ["**instances** in all, one core each", ({ count, each }) => `**${whole(count * (each.instances ?? Number.NaN))}**`],
  ["an instance: of its core", ({ each }) => percent(each.instanceShare)],
  ["of that for the presence of everybody", ({ each }) => percent(each.presenceShare)],
  ["an instance: memory, MiB", ({ each }) => whole(each.instanceMiB)],
  ["an instance: channels that it listens to", ({ each }) => whole(each.channelsPerInstance)],
  ["**Redis masters** in all", ({ count, each }) => `**${whole(count * each.masters)}**`],
  ["Redis: commands a second", ({ count, each }) => whole(count * each.redisCommandsPerSecond)],
  ["of them confirmed positions", ({ count, each }) => whole(count * each.confirmationsPerSecond)],
  ["the master with the channel of all users: of its core", ({ each }) => percent(each.usersMasterShare)],
  ["network to clients, Mbit/s", ({ count, each }) => whole(count * each.clientMbitPerSecond)],
  ["network from Redis, Mbit/s", ({ count, each }) => whole(count * each.redisMbitPerSecond)],
  ["REST: sends and receipts a second", ({ count, each }) => whole(count * each.restSendsPerSecond)],
  ["REST: calls a second for connections that open", ({ count, each }) => whole(count * each.restConnectsPerSecond)],
  ["REST: rechecks a second", ({ count, each }) => whole(count * each.restRechecksPerSecond)],
];

export function demandTable(loads: readonly Load[], settings: Settings, costs: UnitCosts): string {
  const columns = loads.map((load) => deploymentsOf(load, settings, costs));
  return table(
    ["connections", ...loads.map(({ connections }) => whole(connections))],
    ROWS.map(([name, value]) => [name, ...columns.map(value)]),
  );
}

function checkTable(checks: readonly Check[]): string {
  return table(
    ["", "unit", "predicted", "measured", "difference", ""],
    checks.map(({ what, unit, predicted, measured, isFitted }) => [
      what,
      unit,
      predicted.toFixed(0),
      measured.toFixed(0),
      `${(100 * (predicted / measured - 1)).toFixed(0)} %`,
      isFitted ? "fitted" : "predicted",
    ]),
  );
}

function us(value: number): string {
  return `${value.toFixed(0)} µs`;
}

function costTable(costs: UnitCosts): string {
  const { redis } = costs;
  return table(
    ["", "an instance", "Redis"],
    [
      ["an event: read, the REST call, the log, acknowledged", us(costs.messageUs), us(redis.messageUs)],
      ["each instance that it arrives at", us(costs.arrivalUs), us(redis.arrivalUs)],
      ["each connection that it is written to", `${costs.deliveryUs.toFixed(1)} µs`, ""],
      ["a position that a client confirms", us(costs.confirmationUs), us(redis.commandUs)],
      ["a connection that opens", us(costs.connectUs), ""],
      ["an idle connection", `${costs.connectionKiB.toFixed(1)} KiB`, ""],
      ["a process", `${costs.processMiB.toFixed(0)} MiB`, ""],
    ],
  );
}

/** Everything of the document that is computed. */
export function capacityTables(results: Results): string {
  const costs = costsOf(results);
  const loads = SIZES.map((connections) => ({ ...LOAD, connections }));
  return [
    "### Demand",
    demandTable(loads, SETTINGS, costs),
    "### Unit costs",
    costTable(costs),
    "### Predicted against measured",
    checkTable(checksOf(results, costs)),
  ].join("\n\n");
}

/** The document with these tables between its markers. Throws where it has none. */
export function withTables(document: string, tables: string, name = "capacity"): string {
  const [first, last] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [start, end] = [document.indexOf(first), document.indexOf(last)];
  if (start === -1 || end < start) throw new Error(`expected the lines ${first} and ${last}`);
  return `${document.slice(0, start + first.length)}\n\n${tables}\n\n${document.slice(end)}`;
}

/** What docs/OPERATIONS.md says of sizes. */
export function sizingSection(results: Results): string {
  const { idle } = results;
  if (!idle) throw new Error("an idle connection was not measured");
  return sizingText(readSizes(), costsOf(results), idle);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const align = head.map((_, index) => (index === 0 ? "---" : "---:"));
  return [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
