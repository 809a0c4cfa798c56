/** An event costs what its audience costs: who is not subscribed to its chat is not even looked at. */
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Bus, ConnectionListener } from "../../src/bus/bus.ts";
import { Directory } from "../../src/chat/directory.ts";
import type { BusEvent, DeliveredEvent, EventType } from "../../src/chat/events/registry.ts";
import { chatTopic, USERS_TOPIC } from "../../src/chat/events/topics.ts";
import type { Chat, User } from "../../src/chat/model.ts";
import { Session } from "../../src/chat/session.ts";
import type { Subscriber } from "../../src/fanout/subscriber.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { MarkChatReadDocument, SendMessageDocument, SetTypingDocument } from "../support/generated/graphql.ts";

const at = "2026-01-31T09:30:00.000Z";

/** A subscriber that keeps what is delivered to it. */
class Spy implements Subscriber {
  readonly type: EventType;
  readonly session: Session;
  readonly chatId: string | undefined;
  readonly got: DeliveredEvent[] = [];
  readonly ends: unknown[] = [];
  /** What it was told about the bus. */
  readonly told: string[] = [];
  isBroken = false;

  constructor(type: EventType, session: Session, chatId?: string) {
    this.type = type;
    this.session = session;
    this.chatId = chatId;
  }

  deliver(event: DeliveredEvent): void {
    this.got.push(event);
  }

  end(error?: Error): void {
    this.ends.push(error);
  }

  forget(): void {}

  joined(): void {}
  busLost(): void {
    this.told.push("lost");
  }

  busRestored(): void {
    this.told.push("restored");
  }

  async refresh(): Promise<void> {
    this.told.push("refresh");
    if (this.isBroken) throw new Error("its state cannot be read");
  }
}

function createScene(bus: Bus<BusEvent> = createTestBus()) {
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

test("a chat's event is offered to that chat's subscriptions of its type alone", async () => {
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
  // So many rooms are left in slices.
  await expect.poll(() => fanout.statistics).toEqual({ subscriptions: 0, rooms: 0, delivered: 2003 });
});

test("who has left a chat gets no event of it, and gets them again after coming back", async () => {
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

test("who shares several chats with a user gets that user's presence once", async () => {
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

test("a message ends the typing indicator of its sender, before it is delivered", async () => {
  const bus = createTestBus();
  const { directory, chat, open, spy } = createScene(bus);
  const session = open(ann);
  directory.learn(chat("one", [ann, ben]), directory.now());
  const [typing, messages] = [await spy("typing.changed", session), await spy("message.created", session)];
  const change = { chatId: "one", user: ben, isTyping: true };
  await bus.publish(chatTopic("one"), { type: "typing.changed", chatId: "one", expiresInMs: 600_000, change });
  const fields = { chatId: "one", sender: ben, content: "", createdAt: at, readAt: null, clientMessageId: null };
  for (const id of ["m1", "m2"]) {
    await bus.publish(chatTopic("one"), { type: "message.created", chatId: "one", message: { ...fields, id } });
  }
  expect(typing.got.map((event) => event.type === "typing.changed" && event.change.isTyping)).toEqual([true, false]);
  expect(messages.got).toHaveLength(2);
});

describe("every subscription is told", () => {
  async function createConnectedScene() {
    const observers: ConnectionListener[] = [];
    const bus = createTestBus();
    const observe = (listener: ConnectionListener): (() => void) => {
      observers.push(listener);
      return () => undefined;
    };
    const scene = createScene({ ...bus, observe });
    await scene.fanout.start();
    const session = scene.open(ann);
    scene.directory.learn(scene.chat("one", [ann, ben]), scene.directory.now());
    const spies = [
      await scene.spy("message.created", session, "one"),
      await scene.spy("typing.changed", session),
      await scene.spy("presence.changed", session),
    ];
    return { spies, observers };
  }

  const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test("that the bus is disconnected, and connected again before it reads its state", async () => {
    const { spies, observers } = await createConnectedScene();
    for (const observer of observers) observer.lost?.();
    expect(spies.map(({ told }) => told)).toEqual([["lost"], ["lost"], ["lost"]]);
    for (const observer of observers) observer.restored(false);
    await nextTurn();
    for (const { told } of spies) expect(told).toEqual(["lost", "restored", "refresh"]);
  });

  test("to read its state again, even where another one cannot", async () => {
    const { spies, observers } = await createConnectedScene();
    if (spies[0]) spies[0].isBroken = true;
    for (const observer of observers) observer.restored(false);
    await nextTurn();
    for (const { told } of spies) expect(told).toEqual(["restored", "refresh"]);
  });
});

test("equal subscriptions deliver to each viewer what that viewer may see", async () => {
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
