/** What happens in a chat of many costs what its members cost, once each: not each of them for each of the others. */
import { expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { Directory } from "../../src/chat/directory.ts";
import type { BusEvent, DeliveredEvent } from "../../src/chat/events/registry.ts";
import type { Position } from "../../src/bus/position.ts";
import type { Chat, User } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import type { GatewayError } from "../../src/errors.ts";
import { FairTurns } from "../../src/fair-turns.ts";
import { ChatListStream } from "../../src/fanout/chat-list-stream.ts";
import type { Subscriber } from "../../src/fanout/subscriber.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";

const MEMBERS = 1000;
const AT = "2026-01-31T09:30:00.000Z";

/** Counts what it is asked. */
class Watcher implements Subscriber {
  readonly type = "presence.changed";
  readonly session: Session;
  readonly chatId: string | undefined;
  readonly presences: string[] = [];
  readonly ends: (string | undefined)[] = [];
  refreshes = 0;

  constructor(session: Session, chatId: string | undefined) {
    this.session = session;
    this.chatId = chatId;
  }

  deliver(event: DeliveredEvent, _position: Position | undefined): void {
    if (event.type === "presence.changed") this.presences.push(event.presence.user.id);
  }

  end(error?: GatewayError): void {
    this.ends.push(error?.code);
  }

  async refresh(): Promise<void> {
    this.refreshes++;
  }

  joined(): void {}
  forget(): void {}
  busLost(): void {}
  busRestored(): void {}
}

function user(index: number): User {
  return { id: `user ${index}`, name: `User ${index}` };
}

function chatOf(participants: readonly User[]): Chat {
  return { id: "large", title: null, participants, createdAt: AT, updatedAt: AT, lastMessage: null, unreadCount: 0 };
}

/** Every member is connected, and watches the chat by itself and all chats. */
async function createScene() {
  const reads: string[][] = [];
  const plain = createTestBus();
  const bus: Bus<BusEvent> = {
    ...plain,
    presence: {
      ...plain.presence,
      async read(ids) {
        reads.push([...ids]);
        return ids.map(() => ({ online: true, lastSeenAt: undefined }));
      },
    },
  };
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  await fanout.start();
  const members = Array.from({ length: MEMBERS }, (_, index) => user(index));
  const sessions = members.map(
    (member) =>
      new Session({ token: member.id, tokenHash: member.id, user: { ...member, email: "", role: null } }, directory),
  );
  directory.learn(chatOf(members), directory.now());
  const watchers = sessions.flatMap((session) => [new Watcher(session, undefined), new Watcher(session, "large")]);
  for (const watcher of watchers) await fanout.add(watcher);
  await directory.settled();
  return { directory, fanout, members, reads, sessions, watchers };
}

test("a member who is added has the new member's presence read once, and sent to each subscription", async () => {
  const { directory, members, reads, watchers } = await createScene();
  directory.learn(chatOf([...members, user(MEMBERS)]), directory.now());
  await expect.poll(() => watchers.at(-1)?.presences).toEqual([`user ${MEMBERS}`]);
  expect(watchers.filter(({ presences }) => presences.join() !== `user ${MEMBERS}`)).toEqual([]);
  expect(reads).toEqual([[`user ${MEMBERS}`]]);
  expect(watchers.filter(({ refreshes }) => refreshes > 0)).toEqual([]);
});

test("a chat that is deleted ends each member's own subscription to it, and no other", async () => {
  const { directory, fanout, watchers } = await createScene();
  directory.remove("large");
  expect(directory.chat("large")).toBeUndefined();
  for (const { chatId, ends } of watchers) expect(ends).toEqual(chatId === undefined ? [] : ["NOT_PARTICIPANT"]);
  for (const watcher of watchers) fanout.remove(watcher);
  expect(fanout.statistics).toMatchObject({ rooms: 0, subscriptions: 0 });
});

test("a new member is in each member's list of chats, and all lists share one list of members", async () => {
  const { directory, fanout, members, sessions } = await createScene();
  const chat = chatOf(members);
  const records = {
    all: async () => ({ chats: [chat], askedAt: directory.now() }),
    one: async () => ({ chat, askedAt: directory.now() }),
  };
  const lists = sessions.slice(0, 100).map(
    (session) =>
      new ChatListStream({
        subscribers: fanout,
        session,
        records,
        turns: new FairTurns(),
        now: () => directory.now(),
        onError: (error) => expect.unreachable(String(error)),
      }),
  );
  for (const list of lists) await list.open();
  await Promise.all(lists.map((list) => list.next()));
  const changes = lists.map((list) => list.next());
  directory.learn(chatOf([...members, user(MEMBERS)]), directory.now());
  const participants = (await Promise.all(changes)).map(({ value }) => value?.changed[0]?.participants);
  expect(participants[0]).toHaveLength(MEMBERS + 1);
  expect(new Set(participants).size).toBe(1);
  await fanout.close();
});

test("a chat that is deleted is taken apart once, not once for each of its members", async () => {
  const { directory } = await createScene();
  let copied = 0;
  const chat = directory.chat("large");
  if (!chat) throw new Error("the chat is not known");
  const { participants } = chat;
  // Each walk through the members is noticed.
  const counted = new Map(participants);
  const walk = counted[Symbol.iterator].bind(counted);
  const keys = counted.keys.bind(counted);
  counted[Symbol.iterator] = () => (copied++, walk());
  counted.keys = () => (copied++, keys());
  chat.participants = counted;
  directory.remove("large");
  expect(copied).toBeLessThan(5);
});
