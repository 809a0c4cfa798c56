import { sendByClock } from "../load/pace.ts";
import type { Stage } from "../peers.ts";
import { quantile } from "../report/statistics.ts";
import { crowdOf, Prepared, type Case, type Column, type Scale, type Scenario } from "./scenario.ts";

const COUNTS = [1, 2, 4];
const RATE = 200;
const SENDERS = 100;
const WARM_UP_MS = 2000;
const WORLD = { people: 1000, chatSize: 10, chatsPerUser: 1 };

const CASES: readonly Case[] = COUNTS.map((count) => ({ name: caseName(count), world: WORLD, instances: count }));

const COLUMNS: readonly Column[] = COUNTS.flatMap((count) => [
  { heading: `${caseName(count)}: servers, µs per message`, case: caseName(count), value: "servers", digits: 0 },
  { heading: "Redis, µs per message", case: caseName(count), value: "redis", digits: 0 },
  { heading: "p50, ms", case: caseName(count), value: "p50", digits: 2 },
  { heading: "p99, ms", case: caseName(count), value: "p99", digits: 2 },
]);

export const instances: Scenario = {
  name: "instances",
  title: "One, two and four instances on one Redis",
  text:
    "1,000 connections in chats of ten, spread over the instances so that every chat is on all of them and no sender is where it " +
    "listens; 200 messages a second by the clock. Processor time of all instances together and of Redis for each message, the REST " +
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
  await sendByClock(crowd, crowd.open({ latencies: false }), RATE, WARM_UP_MS);
  return new Prepared(crowd, async () => {
    for (const server of stage.servers) await server.quiet();
    const window = crowd.open({ latencies: true });
    const [servers, redis] = [stage.cpuMs(), stage.redis?.cpuMs() ?? 0];
    await sendByClock(crowd, window, RATE, windowMs);
    const perMessage = (ms: number): number => (ms * 1000) / window.messages;
    const latencies = window.latenciesMs;
    return {
      values: {
        servers: perMessage(stage.cpuMs() - servers),
        redis: perMessage((stage.redis?.cpuMs() ?? 0) - redis),
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
      },
      accounts: [window.account()],
    };
  });
}
