/** Users with thousands of chats: the others have their turn while they connect. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Backlog } from "../../src/backlog.ts";
import { Directory } from "../../src/chat/directory.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import type { Chat } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import type { Fanout } from "../../src/fanout/fanout.ts";
import type { Subscriber } from "../../src/fanout/subscriber.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";

/** So many that a fast machine does not take all of them in one slice. */
const CHATS = 20_000;
const LAST = `chat ${CHATS - 1}`;

const at = "2026-01-01T00:00:00.000Z";
const me = { id: "me", name: "Mary", email: "mary@example.com", role: null };

function manyChats(count: number): Chat[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `chat ${n}`,
    title: null,
    participants: [me, { id: `other ${n}`, name: `Other ${n}` }],
    lastMessage: null,
    unreadCount: 0,
    createdAt: at,
    updatedAt: at,
  }));
}

/** How many turns others have while it lasts. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  const count = (): void => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  await work();
  clearImmediate(next);
  return turns;
}

/** Subscribed to all chats. */
function listener(session: Session): Subscriber {
  const nothing = (): void => undefined;
  return {
    type: "message.created",
    session,
    chatId: undefined,
    deliver: nothing,
    joined: nothing,
    busLost: nothing,
    busRestored: nothing,
    forget: nothing,
    end: nothing,
    refresh: async () => undefined,
  };
}

async function noRooms(fanout: Fanout): Promise<void> {
  while (fanout.statistics.rooms > 0) await nextTurn();
}

function connected(directory: Directory): Session {
  return new Session({ token: "t", tokenHash: "h", user: me }, directory);
}

test("thousands of chats are taken note of with turns for others in between", async () => {
  const directory = new Directory();
  const session = connected(directory);
  const chats = manyChats(CHATS);
  const turns = await turnsDuring(() => directory.replaceInSlices(me.id, chats, directory.now()));
  expect(turns).toBeGreaterThan(1);
  expect(session.viewer.chats.size).toBe(CHATS);
});

test("what changes between two turns is not undone", async () => {
  const directory = new Directory();
  const session = connected(directory);
  const chats = manyChats(CHATS);
  const learning = directory.replaceInSlices(me.id, chats, directory.now());
  // In the first turn that others have.
  setImmediate(() => {
    directory.refuse(me.id, "chat 0");
    directory.learn({ id: "new", participants: [me] }, directory.now());
  });
  await learning;
  expect(session.viewer.chats.has("chat 0")).toBe(false);
  expect(session.viewer.chats.has("new")).toBe(true);
  expect(session.viewer.chats.size).toBe(CHATS);
});

test("somebody who goes while the chats are taken note of leaves nothing behind", async () => {
  const directory = new Directory();
  const session = connected(directory);
  const learning = directory.replaceInSlices(me.id, manyChats(CHATS), directory.now());
  setImmediate(() => directory.detach(session));
  await learning;
  expect(directory.viewer(me.id)).toBeUndefined();
  expect([directory.chat("chat 0"), directory.chat(LAST)]).toEqual([undefined, undefined]);
});

test("thousands of chats are listened to with turns for others, and all of them are heard", async () => {
  const directory = new Directory();
  const fanout = createTestFanout(createTestBus(), directory);
  const session = connected(directory);
  directory.replace(me.id, manyChats(CHATS), directory.now());
  const subscriber = listener(session);
  expect(await turnsDuring(() => fanout.add(subscriber))).toBeGreaterThan(1);
  expect(fanout.statistics.rooms).toBe(CHATS);
  // Gone in the middle of it: no chat is listened to any more.
  fanout.remove(subscriber);
  const adding = fanout.add(subscriber);
  setImmediate(() => fanout.remove(subscriber));
  await adding;
  await noRooms(fanout);
});

test("thousands of chats are left with turns for others in between", async () => {
  const directory = new Directory();
  const fanout = createTestFanout(createTestBus(), directory);
  const session = connected(directory);
  directory.replace(me.id, manyChats(CHATS), directory.now());
  const subscriber = listener(session);
  await fanout.add(subscriber);
  directory.detach(session);
  fanout.remove(subscriber);
  // Not all of them in this turn.
  expect(fanout.statistics.rooms).toBeGreaterThan(0);
  await noRooms(fanout);
});

test("chats of somebody who has gone are unknown at once, though forgetting them takes turns", () => {
  const directory = new Directory();
  const session = connected(directory);
  directory.replace(me.id, manyChats(CHATS), directory.now());
  directory.detach(session);
  expect(directory.viewer(me.id)).toBeUndefined();
  expect([0, 4500, CHATS - 1].map((n) => directory.chat(`chat ${n}`))).toEqual([undefined, undefined, undefined]);
  expect([...directory.chatsOf("other 8998")]).toEqual([]);
  // A membership that is learnt is of nobody who is connected.
  expect(directory.learn({ id: "chat 8997", participants: [me] }, directory.now())).toBe(false);
});

test("somebody who comes back while the chats are forgotten keeps those that are learnt again", async () => {
  const directory = new Directory();
  const fanout = createTestFanout(createTestBus(), directory);
  const first = connected(directory);
  const chats = manyChats(CHATS);
  directory.replace(me.id, chats, directory.now());
  const before = listener(first);
  await fanout.add(before);
  directory.detach(first);
  fanout.remove(before);
  const second = connected(directory);
  directory.replace(me.id, chats, directory.now());
  await fanout.add(listener(second));
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  expect(second.viewer.chats.size).toBe(CHATS);
  expect(fanout.statistics.rooms).toBe(CHATS);
  expect(directory.membership(me.id, LAST)).toBe(directory.chat(LAST));
});

test("a session that listens to all chats again while it leaves them goes on hearing all of them", async () => {
  const directory = new Directory();
  const bus = createTestBus();
  const fanout = createTestFanout(bus, directory);
  const session = connected(directory);
  directory.replace(me.id, manyChats(CHATS), directory.now());
  const before = listener(session);
  await fanout.add(before);
  fanout.remove(before);
  const received: string[] = [];
  await fanout.add({ ...listener(session), type: "typing.changed", deliver: ({ type }) => void received.push(type) });
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  expect(fanout.statistics.rooms).toBe(CHATS);
  const change = { chatId: LAST, user: { id: "other 8999", name: "Other" }, isTyping: true };
  await bus.publish(chatTopic(LAST), { type: "typing.changed", chatId: LAST, change });
  expect(received).toEqual(["typing.changed"]);
});

test("work that nobody waits for takes a part of each turn, whoever has given it", async () => {
  const backlog = new Backlog();
  const items = Array.from({ length: 1000 }, (_, item) => item);
  const taken: number[] = [];
  const take = (item: number): void => {
    const untilMs = performance.now() + 0.05;
    while (performance.now() < untilMs);
    taken.push(item);
  };
  const turns = await turnsDuring(async () => {
    for (let count = 0; count < 4; count++) backlog.add(items, take);
    while (taken.length < 4000) await nextTurn();
  });
  expect(taken).toEqual([items, items, items, items].flat());
  // 200 ms.
  expect(turns).toBeGreaterThan(10);
});
