import { performance } from "node:perf_hooks";
import type { Crowd } from "../load/crowd.ts";
import { sendByClock } from "../load/pace.ts";
import type { Account } from "../load/window.ts";
import type { Stage } from "../peers.ts";
import { coreBusyMs, LOAD_CORE } from "../processes.ts";
import { quantile } from "../report/statistics.ts";
import { crowdOf, Prepared, type Column, type Scale, type Scenario } from "./scenario.ts";

const PEOPLE = 1000;
const CHAT_SIZE = 10;
const SENDERS = 100;
const RATES = [100, 500, 1000];
const CASE = `${PEOPLE} in chats of ten`;
const WARM_UP_MS = 2000;

const COLUMNS: readonly Column[] = RATES.flatMap((rate) => [
  { heading: `${rate}/s: p50, ms`, case: CASE, value: `p50-${rate}`, digits: 2 },
  { heading: "p99, ms", case: CASE, value: `p99-${rate}`, digits: 2 },
  { heading: "achieved/s", case: CASE, value: `achieved-${rate}`, digits: 0 },
  { heading: "load's core, %", case: CASE, value: `load-${rate}`, digits: 0 },
]);

export const latency: Scenario = {
  name: "latency",
  title: "Latency: from the sender's frame to each delivery",
  text:
    "1,000 connections in chats of ten, at 100, 500 and 1,000 messages a second by the clock (an open loop: a slow server is " +
    "not waited for). From the write of the message to the read of each of its ten deliveries, the REST call included. " +
    "The REST API, Redis and all clients share the other core, so this is what the peers differ by, not what a network would give.",
  persist: "rest",
  cases: () => [{ name: CASE, world: { people: PEOPLE, chatSize: CHAT_SIZE, chatsPerUser: 1 } }],
  columns: () => COLUMNS,
  charts: () => [
    {
      kind: "bars",
      title: "Latency at 500 messages per second",
      unit: "ms to a delivery: p50, p99",
      columns: COLUMNS.filter(({ value }) => value.endsWith("-500") && value.startsWith("p")).map((column) => ({
        ...column,
        heading: column.value.slice(0, 3),
      })),
    },
  ],
  prepare,
};

async function prepare(stage: Stage, { windowMs }: Scale): Promise<Prepared> {
  const crowd = crowdOf(stage);
  await crowd.gather("all", SENDERS);
  await sendByClock(crowd, crowd.open({ latencies: true }), Math.max(...RATES), WARM_UP_MS);
  return new Prepared(crowd, () => measureRates(stage, crowd, windowMs));
}

async function measureRates(
  stage: Stage,
  crowd: Crowd,
  windowMs: number,
): Promise<{ values: Record<string, number>; accounts: Account[] }> {
  const values: Record<string, number> = {};
  const accounts: Account[] = [];
  for (const rate of RATES) {
    await stage.server.quiet();
    const window = crowd.open({ latencies: true });
    const { result } = await stage.server.during(async () => {
      const [startedAt, before] = [performance.now(), coreBusyMs(LOAD_CORE)];
      const pace = await sendByClock(crowd, window, rate, windowMs);
      const load = (100 * (coreBusyMs(LOAD_CORE) - before)) / (performance.now() - startedAt);
      return { ...pace, load };
    });
    values[`load-${rate}`] = result.load;
    const latencies = window.latenciesMs;
    values[`p50-${rate}`] = quantile(latencies, 0.5);
    values[`p99-${rate}`] = quantile(latencies, 0.99);
    values[`achieved-${rate}`] = result.achieved;
    values[`worst-lag-${rate}`] = result.worstLagMs;
    accounts.push(window.account());
  }
  return { values, accounts };
}
