import { sendByClock } from "../load/pace.ts";
import type { PeerName, Stage } from "../peers.ts";
import { crowdOf, Prepared, type Case, type Column, type Point, type Scale, type Scenario } from "./scenario.ts";

const CHAT_SIZE = 10;
const SENDERS = 100;
const MESSAGES_PER_SECOND = 200;
const WARM_UP_MS = 2000;
const PEERS: readonly PeerName[] = ["gateway", "ws"];

interface Growth {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  readonly across: string;
  /** What grows, and the world at that size. */
  readonly steps: (quick: boolean) => readonly number[];
  readonly caseOf: (step: number, quick: boolean) => Case;
}

export const moreConnections = growth({
  name: "growth-connections",
  title: "Growth: connections",
  text: "1,000 to 10,000 connections in chats of ten, one subscription each, with 200 messages (2,000 deliveries) a second throughout.",
  across: "connections",
  steps: (quick) => (quick ? [200, 1000] : [1000, 2000, 5000, 10_000]),
  caseOf: (people) => ({ name: `${people} connections`, world: { people, chatSize: CHAT_SIZE, chatsPerUser: 1 } }),
});

export const moreChats = growth({
  name: "growth-chats",
  title: "Growth: chats per user",
  text: "1,000 connections whose users are in 1 to 200 chats of ten each, one subscription to all of them, with 200 messages (2,000 deliveries) a second throughout.",
  across: "chats per user",
  steps: (quick) => (quick ? [1, 50] : [1, 10, 50, 200]),
  caseOf: (chatsPerUser, quick) => ({
    name: `${chatsPerUser} chats per user`,
    world: { people: quick ? 200 : 1000, chatSize: CHAT_SIZE, chatsPerUser },
  }),
});

function growth({ steps, caseOf, across, name, title, text }: Growth): Scenario {
  const points = (quick: boolean): readonly Point[] =>
    steps(quick).map((x) => ({ x, column: columnOf(caseOf(x, quick).name) }));
  return {
    name,
    title,
    text: `${text} Processor time of the server for each delivery, a tenth of the message and its REST call included.`,
    peers: PEERS,
    persist: "rest",
    cases: ({ quick }) => steps(quick).map((step) => caseOf(step, quick)),
    columns: ({ quick }) => points(quick).map(({ column }) => column),
    charts: ({ quick }) => [
      { kind: "lines", title, unit: "µs of processor time per delivery", across, points: points(quick) },
    ],
    prepare,
  };
}

function columnOf(name: string): Column {
  return { heading: `${name}, µs per delivery`, case: name, value: "perDelivery", digits: 1 };
}

async function prepare(stage: Stage, { windowMs }: Scale): Promise<Prepared> {
  const crowd = crowdOf(stage);
  await crowd.gather("all", Math.min(SENDERS, stage.world.people / CHAT_SIZE));
  await sendByClock(crowd, crowd.open({ latencies: false }), MESSAGES_PER_SECOND, WARM_UP_MS);
  return new Prepared(crowd, async () => {
    await stage.server.quiet();
    const window = crowd.open({ latencies: false });
    const { cpuMs } = await stage.server.during(() => sendByClock(crowd, window, MESSAGES_PER_SECOND, windowMs));
    return { values: { perDelivery: (cpuMs * 1000) / window.received }, accounts: [window.account()] };
  });
}
