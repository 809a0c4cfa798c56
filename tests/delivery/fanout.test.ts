/** An event costs what its audience costs: who is not subscribed to its chat is not even looked at. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { Directory } from "../../src/chat/directory.ts";
import { chatTopic, USERS_TOPIC, type DeliveredEvent, type EventType } from "../../src/chat/events.ts";
import type { Chat, User } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import type { Subscriber } from "../../src/fanout/fanout.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { MarkChatReadDocument, SendMessageDocument, SetTypingDocument } from "../support/generated/graphql.ts";

const at = "2026-01-31T09:30:00.000Z";

/** A subscriber that keeps what it is given. */
class Spy implements Subscriber {
  readonly spec: Subscriber["spec"];
  readonly got: DeliveredEvent[] = [];
  readonly ends: unknown[] = [];

  constructor(type: EventType, session: Session, chatId?: string) {
    this.spec = { type, session, chatId };
  }

  deliver(event: DeliveredEvent): void {
    this.got.push(event);
  }

  end(error?: Error): void {
    this.ends.push(error);
  }

  forget(): void {}

  resume(): void {}

  async refresh(): Promise<void> {}
}

function createScene() {
  const bus = createTestBus();
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  const chat = (id: string, participants: readonly User[]): Chat => ({
    id,
    title: null,
    participants,
    lastMessage: null,
    unreadCount: 0,
    createdAt: at,
    updatedAt: at,
  });
  return {
    fanout,
    directory,
    chat,
    open: (user: User): Session =>
      new Session({ token: user.id, tokenHash: user.id, user: { ...user, email: "", role: null } }, directory),
    spy: async (type: EventType, session: Session, chatId?: string): Promise<Spy> => {
      const spy = new Spy(type, session, chatId);
      await fanout.add(spy);
      return spy;
    },
    say: (chatId: string) =>
      bus.publish(chatTopic(chatId), {
        type: "message.read",
        id: randomUUID(),
        chatId,
        receipt: { chatId, messageId: null, reader: ann, readAt: at },
      }),
    announce: (user: User) =>
      bus.publish(USERS_TOPIC, { type: "presence.changed", presence: { user, online: true, lastSeenAt: null } }),
  };
}

const ann: User = { id: "ann", name: "Ann" };
const ben: User = { id: "ben", name: "Ben" };

test("a chat's event reaches its subscriptions of that type, and costs nothing for thousands of others", async () => {
  const { fanout, directory, chat, open, spy, say } = createScene();
  const here = open(ann);
  const elsewhere = Array.from({ length: 1000 }, (_, index) => open({ id: `user-${index}`, name: "" }));
  directory.learn(chat("small", [ann, ben]), directory.now());
  directory.learn(chat("big", [ann, ...elsewhere.map(({ user }) => user)]), directory.now());
  const others: Spy[] = [];
  for (const session of elsewhere) {
    others.push(await spy("message.read", session), await spy("message.read", session, "big"));
  }
  const audience = [await spy("message.read", here), await spy("message.read", here, "small")];
  const ofOtherType = [await spy("message.created", here), await spy("typing.changed", here, "small")];
  await say("small");
  expect(fanout.statistics).toEqual({ subscriptions: 2004, rooms: 2, delivered: 2 });
  expect(audience.map(({ got }) => got.length)).toEqual([1, 1]);
  expect([...others, ...ofOtherType].filter(({ got }) => got.length > 0)).toEqual([]);
  await say("big");
  expect(fanout.statistics.delivered, "two each, and Ann's to all chats").toBe(2 + 2001);
  for (const each of [...others, ...audience, ...ofOtherType]) fanout.remove(each);
  await say("big");
  expect(fanout.statistics).toEqual({ subscriptions: 0, rooms: 0, delivered: 2003 });
});

test("membership is looked at for every event", async () => {
  const { directory, chat, open, spy, say } = createScene();
  const session = open(ann);
  directory.learn(chat("one", [ann, ben]), directory.now());
  const [toAll, toOne] = [await spy("message.read", session), await spy("message.read", session, "one")];
  await say("one");
  directory.leave("ann", "one");
  await say("one");
  expect([toAll.got.length, toAll.ends]).toEqual([1, []]);
  expect(toOne.ends).toMatchObject([{ code: "NOT_PARTICIPANT" }]);
  directory.learn(chat("one", [ann, ben]), directory.now());
  await say("one");
  expect(toAll.got).toHaveLength(2);
});

test("who shares several chats with a user hears of that user once", async () => {
  const { fanout, directory, chat, open, spy, announce } = createScene();
  await fanout.start();
  const [mine, stranger] = [open(ann), open({ id: "eve", name: "Eve" })];
  for (const id of ["one", "two", "three"]) directory.learn(chat(id, [ann, ben]), directory.now());
  directory.learn(chat("other", [stranger.user]), directory.now());
  const toAll = await spy("presence.changed", mine);
  const toOne = await spy("presence.changed", mine, "two");
  const toNothing = await spy("presence.changed", stranger);
  await announce(ben);
  expect([toAll, toOne, toNothing].map(({ got }) => got.length)).toEqual([1, 1, 0]);
});

test("of equal subscriptions each viewer gets what is for that viewer", async () => {
  await using gateway = await startGateway({ TYPING_TIMEOUT: "600000" });
  const [alice, bob, carol] = gateway.api.users;
  const chatId = gateway.api.demoChatId;
  await using sockets = new AsyncDisposableStack();
  const readers = [];
  for (const user of [alice, bob, carol]) {
    const socket = sockets.use(await openGraphQLSocket(gateway.wsUrl, user?.token));
    const typing = socket.start({ query: "subscription { typingChanged { chatId user { name } isTyping } }" });
    const messages = socket.start({ query: "subscription { messageAdded { chatId content } }" });
    const receipts = socket.start({ query: "subscription { readReceipt { chatId reader { name } } }" });
    await socket.run({ query: "{ chats { id } }" });
    readers.push({ socket, typing, messages, receipts });
  }
  const typist = sockets.use(connect(gateway.wsUrl, alice?.token));
  const outside = gateway.api.data.createChat({ participants: [alice?.id ?? "", bob?.id ?? ""] });
  await typist.run(SetTypingDocument, { chatId, isTyping: true });
  await typist.run(SetTypingDocument, { chatId: outside.id, isTyping: true });
  await typist.run(SendMessageDocument, { chatId: outside.id, content: "for two" });
  await typist.run(MarkChatReadDocument, { chatId: outside.id });
  await typist.run(SendMessageDocument, { chatId, content: "for three" });
  await typist.run(MarkChatReadDocument, { chatId });
  for (const { socket } of readers) await socket.run({ query: "{ me { id } }" });
  const told = readers.map(({ typing, messages, receipts }) => ({
    typing: typing.all.map((text) => field(text, "typingChanged", "chatId")),
    messages: messages.all.map((text) => field(text, "messageAdded", "content")),
    receipts: receipts.all.map((text) => field(text, "readReceipt", "chatId")),
  }));
  const [toAlice, toBob, toCarol] = told;
  expect(toAlice).toEqual({ typing: [], messages: ["for two", "for three"], receipts: [outside.id, chatId] });
  // On and, with the message, off again.
  expect(toBob?.typing.toSorted()).toEqual([chatId, chatId, outside.id, outside.id].toSorted());
  expect(toBob).toMatchObject({ messages: ["for two", "for three"], receipts: [outside.id, chatId] });
  expect(toCarol).toEqual({ typing: [chatId, chatId], messages: ["for three"], receipts: [chatId] });
});

function field(payload: string, root: string, name: string): unknown {
  const { data } = JSON.parse(payload) as {
    readonly data: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  return data[root]?.[name];
}
