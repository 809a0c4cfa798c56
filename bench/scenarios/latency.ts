import { performance } from "node:perf_hooks";
import type { Crowd } from "../load/crowd.ts";
import { sendByClock } from "../load/pace.ts";
import type { Account } from "../load/window.ts";
import type { Stage } from "../peers.ts";
import type { Observation } from "../peers/support/requests.ts";
import { coreBusyMs, LOAD_CORE } from "../processes.ts";
import { quantile } from "../report/statistics.ts";
import { crowdOf, Prepared, type Column, type Scale, type Scenario } from "./scenario.ts";

const WORLD = { people: 1000, chatSize: 10, chatsPerUser: 1 };
const RATES = [500, 1000];
const CASE = "1,000 in chats of ten";
const WARM_UP_MS = 2000;

const COMPARED: ReadonlySet<string> = new Set(["p50", "p99", "p999", "cost"]);

const columnsOf = (rate: number): readonly Column[] =>
  (
    [
      ["p50, ms", "p50", 2],
      ["p99, ms", "p99", 2],
      ["p99.9, ms", "p999", 2],
      ["µs of processor per message", "cost", 0],
      ["minor collections", "minor", 0],
      ["ms in them", "minorMs", 0],
      ["major collections", "major", 0],
      ["ms in them", "majorMs", 0],
      ["event loop late: p99, ms", "delay-p99", 1],
      ["p99.9, ms", "delay-p999", 1],
      ["most, ms", "delay-max", 0],
      ["load's core, %", "load", 0],
    ] as const
  ).map(([heading, value, digits]) => ({
    heading,
    case: CASE,
    value: `${value}-${rate}`,
    digits,
    ...(COMPARED.has(value) && { against: "ws" as const }),
    group: `${rate.toLocaleString("en")} messages a second`,
  }));

const COLUMNS = RATES.flatMap(columnsOf);

export const latency = latencyOf({
  name: "latency",
  title: "Latency: people who also send",
  text:
    "1,000 people in chats of ten, each of whom also sends, at 500 and 1,000 messages a second by the clock (an open loop: a slow server " +
    "is not waited for), in windows that are long enough for major collections. From the write of the message to the read of each of its " +
    "ten deliveries, the REST call included, with what the server's process sees of itself in the same window. The REST API and all " +
    "clients share the other core, so this is what the peers differ by, not what a network would give.",
  senders: "everybody",
});

export const latencyOfListeners = latencyOf({
  name: "latency-listeners",
  title: "Latency: people who only listen",
  text: "The same 1,000 people, who only listen; 100 more connections of theirs only send.",
  senders: 100,
});

interface Shape {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  readonly senders: number | "everybody";
}

function latencyOf({ name, title, text, senders }: Shape): Scenario {
  return {
    name,
    title,
    text,
    peers: ["gateway", "ws", "bun"],
    persist: "rest",
    isLong: true,
    cases: () => [{ name: CASE, world: WORLD }],
    columns: () => COLUMNS,
    charts: () => [
      {
        kind: "bars",
        title: `${title}, 500 messages a second`,
        unit: "ms to a delivery: p99, p99.9",
        columns: COLUMNS.filter(({ value }) => value === "p99-500" || value === "p999-500"),
      },
    ],
    async prepare(stage, scale) {
      const crowd = crowdOf(stage);
      await crowd.gather("all", senders);
      await sendByClock(crowd, crowd.open({ latencies: true }), Math.max(...RATES), WARM_UP_MS);
      return new Prepared(crowd, async () => {
        const windows = [];
        for (const rate of RATES) windows.push(await measureRate(stage, crowd, scale, rate));
        return {
          values: Object.assign({}, ...windows.map(({ values }) => values)) as Record<string, number>,
          accounts: windows.map(({ account }) => account),
        };
      });
    },
  };
}

async function measureRate(
  stage: Stage,
  crowd: Crowd,
  { longWindowMs }: Scale,
  rate: number,
): Promise<{ values: Record<string, number>; account: Account }> {
  await stage.server.quiet();
  const window = crowd.open({ latencies: true });
  const { result, cpuMs, observation } = await stage.server.observe(async () => {
    const [startedAt, before] = [performance.now(), coreBusyMs(LOAD_CORE)];
    const pace = await sendByClock(crowd, window, rate, longWindowMs);
    const load = (100 * (coreBusyMs(LOAD_CORE) - before)) / (performance.now() - startedAt);
    return { ...pace, load };
  });
  const latencies = window.latenciesMs;
  const values = {
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    p999: quantile(latencies, 0.999),
    cost: (cpuMs * 1000) / window.messages,
    ...(observation && valuesOf(observation)),
    ...result,
  };
  const named = Object.entries(values).map(([value, number]) => [`${value}-${rate}`, number]);
  return { values: Object.fromEntries(named) as Record<string, number>, account: window.account() };
}

function valuesOf({ minor, major, delayMs }: Observation): Record<string, number> {
  return {
    minor: minor.count,
    minorMs: minor.ms,
    major: major.count,
    majorMs: major.ms,
    "delay-p99": delayMs.p99,
    "delay-p999": delayMs.p999,
    "delay-max": delayMs.max,
  };
}
