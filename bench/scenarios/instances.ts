import { sendByClock } from "../load/pace.ts";
import type { Account } from "../load/window.ts";
import type { Stage } from "../peers.ts";
import { quantile } from "../report/statistics.ts";
import { crowdOf, Prepared, type Case, type Column, type Scale, type Scenario } from "./scenario.ts";

const COUNTS = [1, 2, 4];
/** At the lower one a client confirms what it has received twice as often for each message. */
const RATES = [100, 200];
const SENDERS = 100;
const WARM_UP_MS = 6000;
const WORLD = { people: 1000, chatSize: 10, chatsPerUser: 1 };

const CASES: readonly Case[] = COUNTS.map((count) => ({ name: caseName(count), world: WORLD, instances: count }));

const COLUMNS: readonly Column[] = COUNTS.flatMap((count) =>
  RATES.flatMap((rate) =>
    (
      [
        [`${rate}/s: servers, µs per message`, "servers", 0],
        ["Redis, µs per message", "redis", 0],
        ["p50, ms", "p50", 2],
        ["p99, ms", "p99", 2],
      ] as const
    ).map(([heading, value, digits]) => ({
      heading,
      case: caseName(count),
      value: `${value}-${rate}`,
      digits,
      group: caseName(count),
    })),
  ),
);

export const instances: Scenario = {
  name: "instances",
  title: "One, two and four instances on one Redis",
  text:
    "1,000 connections in chats of ten, spread over the instances so that every chat is on all of them and no sender is where it " +
    "listens; 100 and 200 messages a second by the clock. Processor time of all instances together and of Redis for each message, the REST " +
    "call included, and the time from the sender's frame to each delivery. All instances share one core: what is to be seen is " +
    "what one more of them costs, not what it brings.",
  peers: ["gateway", "recipe-redis"],
  persist: "rest",
  cases: () => CASES,
  columns: () => COLUMNS,
  charts: () => [],
  prepare,
};

function caseName(count: number): string {
  return count === 1 ? "1 instance" : `${count} instances`;
}

async function prepare(stage: Stage, { windowMs }: Scale): Promise<Prepared> {
  const crowd = crowdOf(stage);
  await crowd.gather("all", SENDERS);
  await sendByClock(crowd, crowd.open({ latencies: false }), Math.max(...RATES), WARM_UP_MS);
  return new Prepared(crowd, async () => {
    const values: Record<string, number> = {};
    const accounts: Account[] = [];
    for (const rate of RATES) {
      for (const server of stage.servers) await server.quiet();
      const window = crowd.open({ latencies: true });
      const [servers, redis] = [stage.cpuMs(), stage.redis?.cpuMs() ?? 0];
      await sendByClock(crowd, window, rate, windowMs);
      const perMessage = (ms: number): number => (ms * 1000) / window.messages;
      const latencies = window.latenciesMs;
      values[`servers-${rate}`] = perMessage(stage.cpuMs() - servers);
      values[`redis-${rate}`] = perMessage((stage.redis?.cpuMs() ?? 0) - redis);
      values[`p50-${rate}`] = quantile(latencies, 0.5);
      values[`p99-${rate}`] = quantile(latencies, 0.99);
      accounts.push(window.account());
    }
    return { values, accounts };
  });
}
