/** The list of chats when something fails, is large, or is read slowly. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { connect, type Received } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import {
  ChatsChangedDocument,
  ChatsDocument,
  MarkChatReadDocument,
  MarkReadDocument,
  MeDocument,
  SendMessageDocument,
  type ChatsChangedSubscription,
} from "../support/generated/graphql.ts";
import { HeldTimers } from "../support/held-timers.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { openRawEventStream } from "../support/raw-event-stream.ts";
import { startRedis } from "../support/redis.ts";
import { overHttp } from "../support/runner.ts";
import { watchServerSockets } from "../support/server-sockets.ts";

type Change = ChatsChangedSubscription["chatsChanged"];

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

/** How long changes of the list are waited for after the first one. */
const COALESCING_MS = 100;

const BUDGET_BYTES = 16_384;

const LIST = { method: "GET", path: "/chats" };

test("a list of 5,000 chats costs one request, and a change of one of them none", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  const { data, faults } = gateway.api;
  const user = data.createUser({ name: "Busy" });
  const ids = Array.from({ length: 5000 }, () => data.createChat({ participants: [user.id, bob.id] }).id);
  await using client = connect(gateway.wsUrl, user.token);
  await client.acknowledged;
  const before = faults.requests.count({ ...LIST, token: user.token });
  const others = faults.requests.count({ path: /^\/chats\//, token: user.token });
  await using received = client.subscribe(ChatsChangedDocument);
  const { isSnapshot, changed } = (await received.next()).chatsChanged;
  expect([isSnapshot, changed.length]).toEqual([true, 5000]);
  const [chatId = ""] = ids;
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId, content: "one" });
  expect((await received.next()).chatsChanged.changed).toMatchObject([{ id: chatId, unreadCount: 1 }]);
  await tell(gateway, {
    type: "chat.updated",
    data: { chat: { ...data.renameChat(chatId, "Named"), participantNames: ["Busy", bob.name] } as never },
  });
  expect((await received.next()).chatsChanged.changed).toMatchObject([{ id: chatId, title: "Named", unreadCount: 1 }]);
  await client.run(MarkChatReadDocument, { chatId });
  expect((await received.next()).chatsChanged.changed).toMatchObject([{ id: chatId, unreadCount: 0 }]);
  expect(faults.requests.count({ ...LIST, token: user.token })).toBe(before + 1);
  expect(faults.requests.count({ path: /^\/chats\//, token: user.token })).toBe(others + 1);
});

test("a list that cannot be read ends the subscription with its code, and nothing else", async () => {
  await using gateway = await startGateway({ HTTP_API_RETRIES: "1" });
  await using client = connect(gateway.wsUrl, alice.token);
  await using control = client.subscribe(ChatsChangedDocument);
  await control.next();
  const fault = gateway.api.faults.unavailable(LIST);
  const refused = client.subscribe(ChatsChangedDocument);
  expect(await refused.ended).toMatchObject([{ extensions: { code: "UPSTREAM_UNAVAILABLE" } }]);
  fault.lift();
  await client.run(MeDocument);
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: shop, content: "felt nothing" });
  expect((await control.next()).chatsChanged.changed).toMatchObject([{ lastMessage: { content: "felt nothing" } }]);
  await using again = client.subscribe(ChatsChangedDocument);
  expect((await again.next()).chatsChanged.isSnapshot).toBe(true);
});

test("a chat whose record cannot be read when it is joined arrives when it can", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET, HTTP_API_RETRIES: "1" });
  const { data, faults } = gateway.api;
  gateway.api.sendEventsTo({ url: new URL("/events", gateway.url).href, secret: EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  await received.next();
  const fault = faults.unavailable({ method: "GET", path: /^\/chats\/[^/]+$/, token: alice.token });
  const { id } = data.createChat({ participants: [alice.id, bob.id], storeName: "Late" });
  await faults.requests.arrived(1, { method: "GET", path: `/chats/${id}`, token: alice.token });
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: id, content: "meanwhile" });
  fault.lift();
  expect((await received.next()).chatsChanged.changed).toMatchObject([
    { id, title: "Late", unreadCount: 1, lastMessage: { content: "meanwhile" } },
  ]);
});

test("events during the request of the list are neither lost nor counted twice", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  const sender = overHttp(gateway.url, bob.token);
  for (const when of ["received", "processed"] as const) {
    using gate = gateway.api.faults.hold({ ...LIST, token: alice.token, when });
    await using received = client.subscribe(ChatsChangedDocument);
    await gate.arrived();
    await sender.run(SendMessageDocument, { chatId: shop, content: `while ${when}` });
    gate.release();
    const { changed } = (await received.next()).chatsChanged;
    const unread = gateway.api.data.messages(shop).filter(({ senderId, readAt }) => senderId === bob.id && !readAt);
    expect(changed.find(({ id }) => id === shop)).toMatchObject({
      unreadCount: unread.length,
      lastMessage: { content: `while ${when}` },
    });
  }
});

test("messages of one instant that the list counts already are not counted again", async () => {
  await using gateway = await startGateway();
  gateway.api.faults.change(({ body, ...reply }) => ({ ...reply, body: withInstants(body, toMinute) }));
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  using gate = gateway.api.faults.hold({ ...LIST, token: alice.token, when: "received" });
  await using received = client.subscribe(ChatsChangedDocument);
  await gate.arrived();
  const sender = overHttp(gateway.url, bob.token);
  for (const content of ["one", "two"]) await sender.run(SendMessageDocument, { chatId: shop, content });
  gate.release();
  await received.next();
  expect(await countAfterMessage(gateway, received)).toBe(unreadIn(gateway, shop).length);
});

test.each(["received", "processed"] as const)(
  "a message that is read while the request of the list is %s is taken off the count once",
  async (when) => {
    await using gateway = await startGateway();
    const { api } = gateway;
    await using client = connect(gateway.wsUrl, alice.token);
    await client.acknowledged;
    const [first = ""] = unreadIn(gateway, shop);
    using gate = api.faults.hold({ ...LIST, token: alice.token, when });
    await using received = client.subscribe(ChatsChangedDocument);
    await gate.arrived();
    await overHttp(gateway.url, alice.token).run(MarkReadDocument, { chatId: shop, messageId: first });
    gate.release();
    await received.next();
    expect(await countAfterMessage(gateway, received)).toBe(unreadIn(gateway, shop).length);
  },
);

test("a receipt that is late is not taken off the count of a list that has it", async () => {
  await using gateway = await startGateway();
  const [first = ""] = unreadIn(gateway, shop);
  using gate = gateway.api.faults.hold({ path: /\/messages\/[^/]+\/read$/, token: alice.token, when: "processed" });
  const marked = overHttp(gateway.url, alice.token).run(MarkReadDocument, { chatId: shop, messageId: first });
  await gate.arrived();
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  const { changed } = (await received.next()).chatsChanged;
  expect(changed.find(({ id }) => id === shop)?.unreadCount).toBe(unreadIn(gateway, shop).length);
  gate.release();
  await marked;
  expect(await countAfterMessage(gateway, received)).toBe(unreadIn(gateway, shop).length);
});

test("a message that is marked as read again is not taken off the count again", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  await received.next();
  const reader = overHttp(gateway.url, alice.token);
  const [first = ""] = unreadIn(gateway, shop);
  const counts = [];
  for (const mark of [
    async () => reader.run(MarkReadDocument, { chatId: shop, messageId: first }),
    async () => reader.run(MarkReadDocument, { chatId: shop, messageId: first }),
    async () => reader.run(MarkReadDocument, { chatId: shop, messageId: unreadIn(gateway, shop).at(-1) ?? "" }),
    async () => reader.run(MarkChatReadDocument, { chatId: shop }),
    async () => reader.run(MarkReadDocument, { chatId: shop, messageId: first }),
  ]) {
    await mark();
    counts.push([await countAfterMessage(gateway, received), unreadIn(gateway, shop).length]);
  }
  expect(counts.map(([told]) => told)).toEqual(counts.map(([, kept]) => kept));
  expect(counts.at(-1)).toEqual([2, 2]);
});

test("a list whose uncertain count cannot be asked for goes on with what is known", async () => {
  await using gateway = await startGateway({ HTTP_API_RETRIES: "1" });
  const { api } = gateway;
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  const [first = ""] = unreadIn(gateway, shop);
  using gate = api.faults.hold({ ...LIST, token: alice.token, when: "processed" });
  await using received = client.subscribe(ChatsChangedDocument);
  await gate.arrived();
  await overHttp(gateway.url, alice.token).run(MarkReadDocument, { chatId: shop, messageId: first });
  api.faults.unavailable({ method: "GET", path: `/chats/${shop}`, token: alice.token });
  gate.release();
  await received.next();
  expect(await countAfterMessage(gateway, received)).toBe(unreadIn(gateway, shop).length);
});

/** The unread messages of Alice in a chat, as the REST API has them, oldest first. */
function unreadIn(gateway: TestGateway, chatId: string): readonly string[] {
  const unread = gateway.api.data.messages(chatId).filter(({ senderId, readAt }) => senderId !== alice.id && !readAt);
  return unread.map(({ id }) => id);
}

/** What the list tells of the shop's unread messages when it tells of one more. */
async function countAfterMessage(gateway: TestGateway, received: Received<ChatsChangedSubscription>): Promise<number> {
  const content = `barrier ${randomUUID()}`;
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: shop, content });
  for (;;) {
    const { changed } = (await received.next()).chatsChanged;
    const chat = changed.find(({ id, lastMessage }) => id === shop && lastMessage?.content === content);
    if (chat) return chat.unreadCount;
  }
}

test("a list from before a chat was read, which a later connection brings, does not make it unread again", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  await overHttp(gateway.url, alice.token).run(MarkChatReadDocument, { chatId: shop });
  await using received = client.subscribe(ChatsChangedDocument);
  const { changed } = (await received.next()).chatsChanged;
  expect(changed.find(({ id }) => id === shop)?.unreadCount).toBe(0);
  await using later = connect(gateway.wsUrl, alice.token);
  await later.acknowledged;
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: shop, content: "after both" });
  expect((await received.next()).chatsChanged.changed).toMatchObject([{ id: shop, unreadCount: 1 }]);
});

test.each([
  { clock: "ahead", skewMs: 300_000 },
  { clock: "behind", skewMs: -300_000 },
])("a chat that is read has no unread messages where the REST API's clock is $clock", async ({ skewMs }) => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  gateway.api.faults.change(({ body, ...reply }) => ({ ...reply, body: withInstants(body, (ms) => ms + skewMs) }));
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  await received.next();
  const [sender, reader] = [overHttp(gateway.url, bob.token), overHttp(gateway.url, alice.token)];
  await sender.run(SendMessageDocument, { chatId: shop, content: "one" });
  expect((await received.next()).chatsChanged.changed).toMatchObject([{ id: shop, unreadCount: 3 }]);
  await reader.run(MarkChatReadDocument, { chatId: shop });
  expect((await received.next()).chatsChanged.changed).toMatchObject([
    { id: shop, unreadCount: 0, lastMessage: { content: "one", readAt: expect.any(String) } },
  ]);
  // A receipt that the backend tells of has its instant.
  await sender.run(SendMessageDocument, { chatId: team, content: "two" });
  const [unread] = (await received.next()).chatsChanged.changed;
  expect(unread?.unreadCount).toBeGreaterThan(0);
  const readAt = new Date(Date.now() + skewMs).toISOString();
  await tell(gateway, { type: "message.read", data: { chatId: team, userId: alice.id, readAt } });
  expect((await received.next()).chatsChanged.changed).toMatchObject([
    { id: team, unreadCount: 0, lastMessage: { content: "two", readAt } },
  ]);
});

/** An answer with every instant of these days changed. */
function withInstants(body: object | string | undefined, change: (epochMs: number) => number): object {
  const replace = (_: string, value: unknown): unknown =>
    typeof value === "string" && value.startsWith("20") && Math.abs(Date.parse(value) - Date.now()) < 86_400_000
      ? new Date(change(Date.parse(value))).toISOString()
      : value;
  return JSON.parse(JSON.stringify(body), replace) as object;
}

/** As an API says it whose instants are of whole minutes. */
function toMinute(epochMs: number): number {
  return epochMs - (epochMs % 60_000);
}

test("an answer from before a change, which a later request shares, does not undo the change", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  const { data, faults } = gateway.api;
  gateway.api.sendEventsTo({ url: new URL("/events", gateway.url).href, secret: EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  await received.next();
  using gate = faults.hold({ ...LIST, token: alice.token, when: "processed" });
  const early = client.run(ChatsDocument);
  await gate.arrived();
  await using device = connect(gateway.wsUrl, data.issueToken(alice.id));
  await device.run(MarkChatReadDocument, { chatId: shop });
  expect((await received.next()).chatsChanged.changed).toMatchObject([{ id: shop, unreadCount: 0 }]);
  data.removeMember(team, alice.id);
  expect((await received.next()).chatsChanged.removedIds).toEqual([team]);
  const shared = client.run(ChatsDocument);
  await client.run(MeDocument);
  gate.release();
  await Promise.all([early, shared]);
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: shop, content: "after both" });
  const { changed, removedIds } = (await received.next()).chatsChanged;
  expect([changed, removedIds]).toMatchObject([[{ id: shop, unreadCount: 1 }], []]);
});

test("a reader that stands still gets what it comes to, and nothing of a chat that it was removed from", async () => {
  using coalescing = new HeldTimers(COALESCING_MS);
  using servers = watchServerSockets();
  await using gateway = await startGateway({
    EVENTS_SECRET,
    MAX_SEND_BUFFER: String(BUDGET_BYTES),
    MAX_MESSAGE_SIZE: "200000",
    MAX_PAYLOAD_SIZE: "1000000",
    HEARTBEAT_INTERVAL: "600000",
  });
  const { data } = gateway.api;
  const big = "x".repeat(100_000);
  await using slow = await openGraphQLSocket(gateway.wsUrl, alice.token);
  await using control = connect(gateway.wsUrl, bob.token);
  await using felt = control.subscribe(ChatsChangedDocument);
  await felt.next();
  const query =
    "subscription { chatsChanged { isSnapshot changed { id unreadCount lastMessage { content } } removedIds } }";
  const results = slow.start({ query });
  await results.next();
  slow.transport.pause();
  const sender = overHttp(gateway.url, bob.token);
  /** Resolves when each reader that takes it has been given an event of its own. */
  const send = async (chatId: string, content: string): Promise<void> => {
    await sender.run(SendMessageDocument, { chatId, content });
    coalescing.runOut();
    await felt.next();
  };
  let filling = 0;
  // Until the buffers of the system are full, and more waits than may.
  while (servers.of(slow.transport).writableLength <= BUDGET_BYTES) await send(shop, `${++filling} ${big}`);
  for (let n = 1; n <= 20; n++) {
    await send(shop, `${n}`);
    await send(team, `secret ${n}`);
  }
  data.removeMember(team, alice.id);
  await tell(gateway, { type: "chat.deleted", data: { chatId: team } });
  coalescing.runOut();
  await felt.next();
  await send(shop, "last");
  slow.transport.resume();
  const changes: Change[] = [];
  while (changes.at(-1)?.changed.find(({ id }) => id === shop)?.lastMessage?.content !== "last") {
    changes.push((JSON.parse(await results.next()) as { data: ChatsChangedSubscription }).data.chatsChanged);
  }
  // What came while it stood still is one event; another one may have been waiting for it.
  expect(changes.length).toBeLessThanOrEqual(filling + 2);
  expect(changes.at(-1)).toMatchObject({
    changed: [{ id: shop, unreadCount: 2 + filling + 20 + 1 }],
    removedIds: [team],
  });
});

test("over Server-Sent Events the list begins with a snapshot, too, and goes on", async () => {
  await using gateway = await startGateway();
  const query = "subscription { chatsChanged { isSnapshot changed { id unreadCount } removedIds } }";
  await using stream = await openRawEventStream(gateway.url, alice.token, { query });
  const first = JSON.parse(await stream.next()) as { data: { chatsChanged: Change } };
  expect(first.data.chatsChanged).toMatchObject({ isSnapshot: true, removedIds: [] });
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: shop, content: "by SSE" });
  expect(JSON.parse(await stream.next())).toEqual({
    data: { chatsChanged: { isSnapshot: false, changed: [{ id: shop, unreadCount: 3 }], removedIds: [] } },
  });
});

test("on two instances the lists agree, also when Redis has stood still, or lost its memory", async () => {
  await using redis = await startRedis();
  const common = { REDIS_URL: redis.url, REDIS_PREFIX: "list:" };
  await using one = await startGateway(common);
  await using other: TestGateway = await startGateway({ ...common, HTTP_API_URL: one.api.url });
  await using here = connect(one.wsUrl, alice.token);
  await using there = connect(other.wsUrl, alice.token);
  const lists = [here.subscribe(ChatsChangedDocument), there.subscribe(ChatsChangedDocument)];
  for (const list of lists) await list.next();
  const lastOf = async (content: string): Promise<unknown[]> =>
    Promise.all(
      lists.map(async (list) => {
        for (;;) {
          const [chat] = (await list.next()).chatsChanged.changed;
          if (chat?.lastMessage?.content === content) return [chat.id, chat.unreadCount, chat.lastMessage.content];
        }
      }),
    );
  const sender = overHttp(other.url, bob.token);
  await sender.run(SendMessageDocument, { chatId: shop, content: "before" });
  expect(await lastOf("before")).toEqual(Array.from(lists, () => [shop, 3, "before"]));
  redis.pause();
  const sent = Promise.all(
    ["a", "b", "c"].map((content) => sender.run(SendMessageDocument, { chatId: shop, content })),
  );
  // That long is the fault.
  await delay(1500);
  redis.resume();
  await sent;
  await sender.run(SendMessageDocument, { chatId: shop, content: "after" });
  expect(await lastOf("after")).toEqual(Array.from(lists, () => [shop, 7, "after"]));
  await there.run(MarkChatReadDocument, { chatId: shop });
  for (const list of lists) {
    expect((await list.next()).chatsChanged.changed).toMatchObject([{ id: shop, unreadCount: 0 }]);
  }
  await redis.kill();
  await sender.run(SendMessageDocument, { chatId: shop, content: "by an empty Redis" });
  await redis.restart();
  expect(await lastOf("by an empty Redis")).toEqual(Array.from(lists, () => [shop, 1, "by an empty Redis"]));
});
