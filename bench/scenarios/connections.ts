import { setTimeout as delay } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import type { Stage } from "../peers.ts";
import { crowdOf, Prepared, type Case, type Column, type Scale, type Scenario } from "./scenario.ts";

const CONNECTING_CONNECTIONS = 2000;
/** Many, so that what a heap holds in reserve, some megabytes, is little beside them. */
const IDLE_CONNECTIONS = 8000;
const CHAT_SIZE = 10;
/** The part that is connected before the measurement, so that what is made once is not counted. */
const WARM_UP_SHARE = 0.1;
/** For what a server does a while after somebody connected. */
const SETTLE_MS = 1000;

function caseOf(count: number, { quick }: Scale): Case {
  const people = (quick ? 500 : count) * (1 + WARM_UP_SHARE);
  return { name: nameOf(count), world: { people, chatSize: CHAT_SIZE, chatsPerUser: 1 } };
}

const nameOf = (count: number): string => `${count} connections`;

function usersOf(stage: Stage): { warmUp: number[]; measured: number[] } {
  const users = Array.from({ length: stage.world.people }, (_, user) => user);
  const warmUp = Math.round(users.length * (WARM_UP_SHARE / (1 + WARM_UP_SHARE)));
  return { warmUp: users.slice(0, warmUp), measured: users.slice(warmUp) };
}

const MEMORY: readonly Column[] = [
  { heading: "KiB per idle connection", case: nameOf(IDLE_CONNECTIONS), value: "perConnection", digits: 1 },
];

export const memory: Scenario = {
  name: "memory",
  title: "Memory of an idle connection",
  text:
    "8,000 authenticated connections of 8,000 people; in GraphQL each with the four subscriptions of an open chat frontend " +
    "(messages, typing, presence, receipts), else joined to its chats. Resident memory after minus before, both after a " +
    "garbage collection that gives back empty pages; a server under load holds more. What the kernel holds for a socket is not in it.",
  persist: "rest",
  cases: (scale) => [caseOf(IDLE_CONNECTIONS, scale)],
  columns: () => MEMORY,
  charts: () => [{ kind: "bars", title: "Memory", unit: "KiB per idle connection", columns: MEMORY }],
  once: true,
  async prepare(stage) {
    const crowd = crowdOf(stage);
    const { warmUp, measured } = usersOf(stage);
    const texts = stage.peer.protocol.listen("four");
    const admit = async (users: readonly number[]): Promise<number> => {
      for (const client of await crowd.admit(users)) client.send(texts);
      await settle(stage);
      return stage.server.residentKiB();
    };
    const before = await admit(warmUp);
    return new Prepared(crowd, async () => {
      const after = await admit(measured);
      return { values: { perConnection: (after - before) / measured.length }, accounts: [] };
    });
  },
};

const CONNECTING: readonly Column[] = [
  { heading: "connections per second", case: nameOf(CONNECTING_CONNECTIONS), value: "perSecond", digits: 0 },
  { heading: "µs per connection", case: nameOf(CONNECTING_CONNECTIONS), value: "cost", digits: 0 },
];

export const connecting: Scenario = {
  name: "connecting",
  title: "Connecting",
  text:
    "2,000 people connect, 64 at a time: TCP, the upgrade, authentication with the profile and the list of chats from the REST " +
    "API. Clients and the REST API share a core, which limits the rate of the cheaper servers; the processor time of the server is not touched by that.",
  persist: "rest",
  cases: (scale) => [caseOf(CONNECTING_CONNECTIONS, scale)],
  columns: () => CONNECTING,
  charts: () => [
    {
      kind: "bars",
      title: "Connecting, with authentication",
      unit: "µs of processor time per connection",
      columns: CONNECTING.slice(1),
    },
  ],
  once: true,
  async prepare(stage) {
    const crowd = crowdOf(stage);
    const { warmUp, measured } = usersOf(stage);
    await crowd.admit(warmUp);
    return new Prepared(crowd, async () => {
      await stage.server.quiet();
      const before = stage.server.cpuMs();
      const startedAt = performance.now();
      await crowd.admit(measured);
      const seconds = (performance.now() - startedAt) / 1000;
      const cost = ((stage.server.cpuMs() - before) * 1000) / measured.length;
      return { values: { perSecond: measured.length / seconds, cost }, accounts: [] };
    });
  },
};

async function settle(stage: Stage): Promise<void> {
  await delay(SETTLE_MS);
  await stage.server.quiet();
  // Some of what one collection lets go is freed by the next.
  await stage.server.collectGarbage();
  await stage.server.collectGarbage();
}
