import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { tell, type Said } from "../../tests/support/events.ts";
import { range } from "../load/crowd.ts";
import type { Stage } from "../peers.ts";
import { membersOf, userId } from "../world.ts";
import { crowdOf, Prepared, type Case, type Column, type Scale, type Scenario } from "./scenario.ts";

const CHAT = "c0-0";
/** In one chat, of two of that size: people of the other are added to it. */
const SIZES = [100, 200, 500, 1000, 2000];
/** For how long it is looked what a server takes that is at rest. */
const REST_MS = 1000;
/** V8 collects the garbage of a busy time some seconds after it: not while something else is measured. */
const COLLECTED_AFTER_MS = 12_000;
const TIME = "2026-01-31T09:30:00.000Z";

const nameOf = (size: number): string => `${size} members`;
const sizesOf = (quick: boolean): readonly number[] => (quick ? [50, 200] : SIZES);

const caseOf = (size: number): Case => ({
  name: nameOf(size),
  world: { people: 2 * size, chatSize: size, chatsPerUser: 1 },
});

const STEPS = [
  ["connect", "everybody connects"],
  ["add", "a member is added, the first event of the backend"],
  ["again", "another member is added"],
  ["delete", "the chat is deleted"],
] as const;

const columns = ({ quick }: Scale): readonly Column[] =>
  STEPS.flatMap(([step, heading]) =>
    sizesOf(quick).flatMap((size) => [
      {
        heading: `${nameOf(size)}: ms of processor`,
        case: nameOf(size),
        value: `${step}-cpu`,
        digits: 0,
        group: heading,
      },
      { heading: "longest turn, ms", case: nameOf(size), value: `${step}-turn`, digits: 0, group: heading },
    ]),
  );

export const moreMembers: Scenario = {
  name: "growth-members",
  title: "Growth: members of one chat",
  text:
    "All members of a chat connect, 64 at a time, each with the four subscriptions of an open chat frontend; then the backend reports " +
    "one more member, who is connected, another one, and at last that the chat was deleted. Processor time of the server until it is at rest again, " +
    "less what it takes at rest, and its longest turn of the event loop, to 2 ms.",
  peers: ["gateway"],
  persist: "rest",
  cases: ({ quick }) => sizesOf(quick).map(caseOf),
  columns,
  charts: ({ quick }) => [
    {
      kind: "lines",
      title: "Growth: members of one chat",
      unit: "ms of processor time when everybody connects",
      across: "members",
      points: sizesOf(quick).map((size) => ({
        x: size,
        column: { heading: nameOf(size), case: nameOf(size), value: "connect-cpu", digits: 0 },
      })),
    },
  ],
  once: true,
  async prepare(stage) {
    const crowd = crowdOf(stage);
    const { world } = stage;
    const texts = stage.peer.protocol.listen("four");
    const join = async (users: readonly number[]): Promise<void> => {
      for (const client of await crowd.admit(users)) client.send(texts);
    };
    // Of the other chat, so that the code has run, and two of them are added to the first.
    await join(range(Math.floor(world.chatSize / 2)).map((index) => world.chatSize + index));
    return new Prepared(crowd, async () => {
      const members = membersOf(world, CHAT);
      const add = (count: number) => (): Promise<void> => {
        const people = [...members, ...range(count).map((index) => world.chatSize + index)].map(userId);
        const chat = { id: CHAT, participants: people, participantNames: people, createdAt: TIME, updatedAt: TIME };
        return report(stage, { type: "chat.updated", data: { chat } });
      };
      const connecting = await cost(stage, "connect", () => join(members));
      await delay(COLLECTED_AFTER_MS);
      const values = {
        ...connecting,
        ...(await cost(stage, "add", add(1))),
        ...(await cost(stage, "again", add(2))),
        ...(await cost(stage, "delete", () => report(stage, { type: "chat.deleted", data: { chatId: CHAT } }))),
      };
      return { values, accounts: [] };
    });
  },
};

async function report({ server }: Stage, event: Said): Promise<void> {
  await tell({ url: `http://127.0.0.1:${server.port}/` }, event);
}

async function cost(
  { server }: Stage,
  name: string,
  work: () => Promise<void>,
): Promise<Readonly<Record<string, number>>> {
  await server.quiet();
  const atRest = server.cpuMs();
  await delay(REST_MS);
  const restShare = (server.cpuMs() - atRest) / REST_MS;
  const startedAt = performance.now();
  const { cpuMs, observation } = await server.observe(async () => {
    await work();
    await server.quiet();
  });
  const restMs = restShare * (performance.now() - startedAt);
  return { [`${name}-cpu`]: cpuMs - restMs, [`${name}-turn`]: observation?.delayMs.max ?? Number.NaN };
}
