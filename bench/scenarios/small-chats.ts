import { performance } from "node:perf_hooks";
import { sendByClock } from "../load/pace.ts";
import type { Stage } from "../peers.ts";
import { crowdOf, Prepared, type Column, type Scale, type Scenario } from "./scenario.ts";

const CHAT_SIZE = 10;
const SENDERS = 100;
const WARM_UP_MS = 2000;

const PEOPLE = 5000;
const RATE = 500;

const caseName = (quick: boolean): string => `${people(quick)} in chats of ten`;

function people(quick: boolean): number {
  return quick ? 500 : PEOPLE;
}

function columns({ quick }: Scale): readonly Column[] {
  const name = caseName(quick);
  return [
    {
      heading: "µs per message, with its REST call and 10 deliveries",
      case: name,
      value: "perMessage",
      digits: 0,
      against: "ws",
    },
    { heading: "share of the core, %", case: name, value: "share", digits: 1 },
    { heading: "achieved messages/s", case: name, value: "achieved", digits: 0 },
  ];
}

export const smallChats: Scenario = {
  name: "small-chats",
  title: "The whole path: chats of ten, 500 messages per second",
  text:
    "5,000 connections, each with one subscription to all its chats, which is one of ten people; 500 messages a second by the " +
    "clock. Processor time of the server for each message: read, persisted by the REST API, delivered to ten, acknowledged.",
  persist: "rest",
  cases: ({ quick }) => [
    { name: caseName(quick), world: { people: people(quick), chatSize: CHAT_SIZE, chatsPerUser: 1 } },
  ],
  columns,
  charts: (scale) => [
    {
      kind: "bars",
      title: "Chats of ten, with the REST call",
      unit: "µs of processor time per message",
      columns: columns(scale).slice(0, 1),
    },
  ],
  prepare,
};

async function prepare(stage: Stage, { windowMs }: Scale): Promise<Prepared> {
  const crowd = crowdOf(stage);
  await crowd.gather("all", Math.min(SENDERS, stage.world.people / CHAT_SIZE));
  await sendByClock(crowd, crowd.open({ latencies: false }), RATE, WARM_UP_MS);
  return new Prepared(crowd, async () => {
    await stage.server.quiet();
    const window = crowd.open({ latencies: false });
    const { result, cpuMs } = await stage.server.during(async () => {
      const startedAt = performance.now();
      const { achieved } = await sendByClock(crowd, window, RATE, windowMs);
      return { achieved, tookMs: performance.now() - startedAt };
    });
    return {
      values: {
        perMessage: (cpuMs * 1000) / window.messages,
        share: (100 * cpuMs) / result.tookMs,
        achieved: result.achieved,
      },
      accounts: [window.account()],
    };
  });
}
