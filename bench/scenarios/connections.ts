import { setTimeout as delay } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { range, type Crowd } from "../load/crowd.ts";
import { sendByClock } from "../load/pace.ts";
import type { Account } from "../load/window.ts";
import type { PeerName, Stage } from "../peers.ts";
import type { World } from "../world.ts";
import { crowdOf, Prepared, type Column, type Scale, type Scenario } from "./scenario.ts";

const CONNECTING_PEOPLE = 2000;
const CONNECTING_CASE = "2,000 people";
/** As many as a process may have files open where this was written, less some hundreds. */
const IDLE_PEOPLE = 18_000;
const IDLE_CASE = "18,000 people";
const CHAT_SIZE = 10;
/** The part that is connected before the measurement, so that what is made once is not counted. */
const WARM_UP_SHARE = 0.1;
/** For what a server does a while after a client connected: longer than the gateway caches the user of a token. */
const SETTLE_MS = 11_000;
const MESSAGES_PER_SECOND = 200;
/** Two heartbeats of the gateway, and some time for the pongs. */
const HEARTBEATS_MS = 65_000;
const QUICK_HEARTBEATS_MS = 1000;

const worldOf = (people: number): World => ({ people, chatSize: CHAT_SIZE, chatsPerUser: 1 });

function usersOf({ world: { people } }: Stage): { warmUp: number[]; measured: number[] } {
  const users = range(people);
  const warmUp = Math.round(people * WARM_UP_SHARE);
  return { warmUp: users.slice(0, warmUp), measured: users.slice(warmUp) };
}

const IDLE_PEERS: readonly PeerName[] = ["gateway", "recipe-memory", "socket.io", "ws", "bun"];

const IDLE: readonly Column[] = [
  { heading: "KiB per idle connection", case: IDLE_CASE, value: "perConnection", digits: 1, against: "ws" },
  { heading: "resident in all, MiB", case: IDLE_CASE, value: "resident", digits: 0 },
  { heading: "share of a core when idle, %", case: IDLE_CASE, value: "share", digits: 1 },
  { heading: "REST calls a second when idle", case: IDLE_CASE, value: "rechecks", digits: 1 },
  { heading: "pings to each connection, fewest", case: IDLE_CASE, value: "pings", digits: 0 },
  { heading: "longest turn meanwhile, ms", case: IDLE_CASE, value: "turn", digits: 0 },
];

export const idle: Scenario = {
  name: "idle",
  title: "18,000 idle connections in one process",
  text:
    "18,000 authenticated connections of 18,000 people in chats of ten; in GraphQL each with the four subscriptions of an open chat " +
    "frontend (messages, typing, presence, receipts), else joined to its chats. Resident memory after minus before, both after a " +
    "garbage collection that gives back empty pages; a server under load holds more. What the kernel holds for a socket is not in it. Then " +
    "one message to each chat, which has to reach each of its members. The gateway is then left alone for 65 s, two heartbeats: a " +
    "connection whose pong is late is ended, and would be listed as lost.",
  peers: IDLE_PEERS,
  persist: "rest",
  cases: ({ quick }) => [{ name: IDLE_CASE, world: worldOf(quick ? 500 : IDLE_PEOPLE) }],
  columns: () => IDLE,
  charts: () => [{ kind: "bars", title: "Memory", unit: "KiB per idle connection", columns: IDLE.slice(0, 1) }],
  once: true,
  async prepare(stage, scale) {
    const crowd = crowdOf(stage);
    const { warmUp, measured } = usersOf(stage);
    const texts = stage.peer.protocol.listen("four");
    const admit = async (users: readonly number[]): Promise<number> => {
      const clients = await crowd.admit(users);
      for (const client of clients) client.send(texts);
      crowd.addSenders(clients.filter(({ user }) => user % CHAT_SIZE === 0));
      await settle(stage);
      return stage.server.residentKiB();
    };
    const before = await admit(warmUp);
    return new Prepared(crowd, async () => {
      const resident = await admit(measured);
      const account = await messageToEachChat(stage, crowd);
      return {
        values: {
          perConnection: (resident - before) / measured.length,
          resident: resident / 1024,
          ...(stage.peer.name === "gateway" && (await leaveAlone(stage, crowd, scale))),
        },
        accounts: [account],
      };
    });
  },
};

async function messageToEachChat({ world }: Stage, crowd: Crowd): Promise<Account> {
  const window = crowd.open({ latencies: false });
  const chats = world.people / CHAT_SIZE;
  await sendByClock(crowd, window, MESSAGES_PER_SECOND, (1000 * chats) / MESSAGES_PER_SECOND);
  return window.account();
}

async function leaveAlone({ server, restUrl }: Stage, crowd: Crowd, { quick }: Scale): Promise<Record<string, number>> {
  const durationMs = quick ? QUICK_HEARTBEATS_MS : HEARTBEATS_MS;
  const pings = crowd.pings();
  const requests = await requestsOf(restUrl);
  const { cpuMs, observation } = await server.observe(() => delay(durationMs));
  return {
    share: (100 * cpuMs) / durationMs,
    rechecks: (1000 * ((await requestsOf(restUrl)) - requests)) / durationMs,
    pings: Math.min(...crowd.pings().map((count, index) => count - (pings[index] ?? 0))),
    turn: observation?.delayMs.max ?? Number.NaN,
  };
}

/** How many requests the REST API has had so far. */
async function requestsOf(restUrl: string): Promise<number> {
  const response = await fetch(`${restUrl}/requests`);
  return ((await response.json()) as { requests: number }).requests;
}

const CONNECTING: readonly Column[] = [
  { heading: "connections per second", case: CONNECTING_CASE, value: "perSecond", digits: 0 },
  { heading: "µs per connection", case: CONNECTING_CASE, value: "cost", digits: 0, against: "ws" },
  {
    heading: "µs to listen: four subscriptions",
    case: CONNECTING_CASE,
    value: "subscribing",
    digits: 0,
    against: "ws",
  },
];

export const connecting: Scenario = {
  name: "connecting",
  title: "Connecting",
  text:
    "2,000 people connect, 64 at a time, the first tenth as a warm-up: TCP, the upgrade, authentication with the profile and the list of chats from the REST " +
    "API. Clients and the REST API share a core, which limits the rate of the cheaper servers; the processor time of the server is not touched by that.",
  persist: "rest",
  cases: ({ quick }) => [{ name: CONNECTING_CASE, world: worldOf(quick ? 500 : CONNECTING_PEOPLE) }],
  columns: () => CONNECTING,
  charts: () => [
    {
      kind: "bars",
      title: "Connecting, with authentication",
      unit: "µs of processor time per connection",
      columns: CONNECTING.slice(1, 2),
    },
  ],
  once: true,
  async prepare(stage) {
    const crowd = crowdOf(stage);
    const { warmUp, measured } = usersOf(stage);
    const texts = stage.peer.protocol.listen("four");
    await crowd.admit(warmUp);
    return new Prepared(crowd, async () => {
      await stage.server.quiet();
      const startedAt = performance.now();
      const { result: clients, cpuMs } = await stage.server.during(() => crowd.admit(measured));
      const seconds = (performance.now() - startedAt) / 1000;
      await stage.server.quiet();
      const { cpuMs: subscribing } = await stage.server.during(async () => {
        for (const client of clients) client.send(texts);
        await stage.server.quiet();
      });
      const perConnection = 1000 / measured.length;
      return {
        values: {
          perSecond: measured.length / seconds,
          cost: cpuMs * perConnection,
          subscribing: subscribing * perConnection,
        },
        accounts: [],
      };
    });
  },
};

async function settle(stage: Stage): Promise<void> {
  // Thousands of connections have heartbeats: such a server is never quite at rest.
  await delay(SETTLE_MS);
  // Some of what one collection lets go is freed by the next.
  await stage.server.collectGarbage();
  await stage.server.collectGarbage();
}
