/** Users with thousands of chats: the others have their turn while they connect. */
import { expect, test } from "vitest";
import { Directory } from "../../src/chat/directory.ts";
import type { Chat } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";

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

function connected(directory: Directory): Session {
  return new Session({ token: "t", tokenHash: "h", user: me }, directory);
}

test("nine thousand chats are taken note of with turns for others in between", async () => {
  const directory = new Directory();
  const session = connected(directory);
  const chats = manyChats(9000);
  const turns = await turnsDuring(() => directory.replaceInSlices(me.id, chats, directory.now()));
  expect(turns).toBeGreaterThan(1);
  expect(session.viewer.chats.size).toBe(9000);
});

test("what changes between two turns is not undone", async () => {
  const directory = new Directory();
  const session = connected(directory);
  const chats = manyChats(9000);
  const learning = directory.replaceInSlices(me.id, chats, directory.now());
  // In the first turn that others have.
  setImmediate(() => {
    directory.refuse(me.id, "chat 0");
    directory.learn({ id: "new", participants: [me] }, directory.now());
  });
  await learning;
  expect(session.viewer.chats.has("chat 0")).toBe(false);
  expect(session.viewer.chats.has("new")).toBe(true);
  expect(session.viewer.chats.size).toBe(9000);
});

test("somebody who goes while the chats are taken note of leaves nothing behind", async () => {
  const directory = new Directory();
  const session = connected(directory);
  const learning = directory.replaceInSlices(me.id, manyChats(9000), directory.now());
  setImmediate(() => directory.detach(session));
  await learning;
  expect(directory.viewer(me.id)).toBeUndefined();
  expect([directory.chat("chat 0"), directory.chat("chat 8999")]).toEqual([undefined, undefined]);
});

test("nine thousand chats are listened to with turns for others, and all of them are heard", async () => {
  const directory = new Directory();
  const fanout = createTestFanout(createTestBus(), directory);
  const session = connected(directory);
  directory.replace(me.id, manyChats(9000), directory.now());
  const received: string[] = [];
  const nothing = (): void => undefined;
  const subscriber = {
    spec: { type: "message.created", session, chatId: undefined, takes: () => true } as const,
    deliver: (): void => void received.push("event"),
    joined: nothing,
    busLost: nothing,
    busRestored: nothing,
    resume: nothing,
    forget: nothing,
    end: nothing,
    refresh: async (): Promise<void> => undefined,
  };
  expect(await turnsDuring(() => fanout.add(subscriber))).toBeGreaterThan(1);
  expect(fanout.statistics.rooms).toBe(9000);
  // Gone in the middle of it: no chat is listened to any more.
  fanout.remove(subscriber);
  const adding = fanout.add(subscriber);
  setImmediate(() => fanout.remove(subscriber));
  await adding;
  expect(fanout.statistics.rooms).toBe(0);
});
