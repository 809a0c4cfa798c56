/** The list of chats, live, on two devices of one user. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { HeldTimers } from "../support/held-timers.ts";
import {
  ChatsChangedDocument,
  ChatsDocument,
  MarkChatReadDocument,
  MarkReadDocument,
  MessageAddedDocument,
  SendMessageDocument,
  type ChatsChangedSubscription,
} from "../support/generated/graphql.ts";
import { overHttp } from "../support/runner.ts";

/** How long changes of the list are waited for after the first one. */
const COALESCING_MS = 100;

type Change = ChatsChangedSubscription["chatsChanged"];

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

/** A gateway whose REST API tells it of everything that is written. */
async function startInformedGateway(): Promise<TestGateway> {
  const gateway = await startGateway({ EVENTS_SECRET });
  gateway.api.sendEventsTo({ url: new URL("/events", gateway.url).href, secret: EVENTS_SECRET });
  return gateway;
}

/** What a sequence of events says in short. */
function inShort({ isSnapshot, changed, removedIds }: Change): unknown {
  const chats = changed.map(({ title, unreadCount, lastMessage }) => [
    title,
    unreadCount,
    lastMessage?.content ?? null,
  ]);
  return isSnapshot ? { snapshot: chats } : removedIds.length > 0 ? { changed: chats, removedIds } : chats;
}

test("the first event is the whole list, as the query has it", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, bob.token);
  await using received = client.subscribe(ChatsChangedDocument);
  const { chatsChanged } = await received.next();
  const { chats } = await client.run(ChatsDocument);
  expect(chatsChanged).toEqual({ isSnapshot: true, changed: chats, removedIds: [] });
  expect(chats.map(({ id }) => id)).toEqual([pair, shop, team]);
});

test("messages, receipts, titles and memberships reach both devices in one order", async () => {
  await using gateway = await startInformedGateway();
  const { data } = gateway.api;
  await using closing = new AsyncDisposableStack();
  const devices = [connect(gateway.wsUrl, alice.token), connect(gateway.wsUrl, alice.token)] as const;
  for (const device of devices) closing.use(device);
  const lists = devices.map((device) => device.subscribe(ChatsChangedDocument));
  const seen: unknown[][] = [[], []];
  const next = async (): Promise<void> => {
    for (const [index, list] of lists.entries()) seen[index]?.push(inShort((await list.next()).chatsChanged));
  };
  await next();
  const other = overHttp(gateway.url, bob.token);
  const { sendMessage: first } = await other.run(SendMessageDocument, { chatId: shop, content: "one" });
  await next();
  await other.run(SendMessageDocument, { chatId: shop, content: "two" });
  await next();
  await devices[0].run(SendMessageDocument, { chatId: shop, content: "mine" });
  await next();
  await devices[1].run(MarkReadDocument, { chatId: shop, messageId: first.id });
  await next();
  await devices[1].run(MarkChatReadDocument, { chatId: shop });
  await next();
  data.renameChat(shop, "The Bookshop");
  await next();
  const { id: late } = data.createChat({ participants: [carol.id, alice.id], storeName: "Late" });
  await next();
  await overHttp(gateway.url, carol.token).run(SendMessageDocument, { chatId: late, content: "welcome" });
  await next();
  data.removeMember(team, alice.id);
  await next();
  data.deleteChat(late);
  await next();
  data.addMember(pair, alice.id);
  await next();
  const atlas = "And the atlas that you asked about in December is back in print.";
  expect(seen[0]?.[0]).toMatchObject({ snapshot: expect.arrayContaining([["Corner Bookshop", 2, atlas]]) });
  expect(seen[0]?.slice(1)).toEqual([
    [["Corner Bookshop", 3, "one"]],
    [["Corner Bookshop", 4, "two"]],
    [["Corner Bookshop", 4, "mine"]],
    [["Corner Bookshop", 3, "mine"]],
    [["Corner Bookshop", 0, "mine"]],
    [["The Bookshop", 0, "mine"]],
    [["Late", 0, null]],
    [["Late", 1, "welcome"]],
    { changed: [], removedIds: [team] },
    { changed: [], removedIds: [late] },
    [[null, expect.any(Number), expect.any(String)]],
  ]);
  expect(seen[1]).toEqual(seen[0]);
  // What it comes to is what the REST API has.
  const { chats } = await devices[0].run(ChatsDocument);
  await using fresh = devices[0].subscribe(ChatsChangedDocument);
  expect((await fresh.next()).chatsChanged.changed).toEqual(chats);
  expect(chats.find(({ id }) => id === shop)).toMatchObject({ title: "The Bookshop", unreadCount: 0 });
});

test("a last message is shown as read when one of the others has read it", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  await received.next();
  await client.run(SendMessageDocument, { chatId: team, content: "who reads?" });
  expect((await received.next()).chatsChanged.changed).toMatchObject([{ lastMessage: { readAt: null } }]);
  const { markChatRead } = await overHttp(gateway.url, bob.token).run(MarkChatReadDocument, { chatId: team });
  expect((await received.next()).chatsChanged.changed).toMatchObject([
    { id: team, unreadCount: expect.any(Number), lastMessage: { readAt: markChatRead.readAt } },
  ]);
});

test("changes that come close together arrive in one event", async () => {
  using coalescing = new HeldTimers(COALESCING_MS);
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await using received = client.subscribe(ChatsChangedDocument);
  const before = (await received.next()).chatsChanged.changed.find(({ id }) => id === team)?.unreadCount ?? 0;
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  await using sender = connect(gateway.wsUrl, bob.token);
  const contents = Array.from({ length: 40 }, (_, index) => `message ${index}`);
  await Promise.all(contents.map((content) => sender.run(SendMessageDocument, { chatId: team, content })));
  for (const _ of contents) await messages.next();
  coalescing.runOut();
  const { changed } = (await received.next()).chatsChanged;
  expect(changed).toMatchObject([{ id: team, unreadCount: before + contents.length }]);
});

test("a client that comes back begins with a snapshot, whatever has happened meanwhile", async () => {
  await using gateway = await startGateway();
  const client = connect(gateway.wsUrl, alice.token);
  const received = client.subscribe(ChatsChangedDocument);
  const { changed: before } = (await received.next()).chatsChanged;
  await client[Symbol.asyncDispose]();
  await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: shop, content: "while away" });
  gateway.api.data.removeMember(team, alice.id);
  await using back = connect(gateway.wsUrl, alice.token);
  await using again = back.subscribe(ChatsChangedDocument);
  const { isSnapshot, changed } = (await again.next()).chatsChanged;
  expect(before.map(({ id }) => id).toSorted()).toEqual([shop, team]);
  expect(isSnapshot).toBe(true);
  expect(changed).toMatchObject([{ id: shop, unreadCount: 3, lastMessage: { content: "while away" } }]);
});
