import { print } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, type Received, type TestClient } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatDocument,
  ChatsDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
  type PresenceChangedSubscription,
} from "../support/generated/graphql.ts";
import { HeldTimers } from "../support/held-timers.ts";
import { openEventStream } from "../support/http.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

/** Whoever is gone is offline at once. */
const AT_ONCE = { PRESENCE_GRACE: "0" };

const GRACE_MS = 54_321;

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Who it is and whether: what most tests have to look at. */
async function next(received: Received<PresenceChangedSubscription>): Promise<string> {
  const { user, online } = (await received.next()).presenceChanged;
  return `${user.name} ${online ? "online" : "offline"}`;
}

test("who is online already comes first, then who comes and goes", async () => {
  await using gateway = await startGateway(AT_ONCE);
  const early = connect(gateway.wsUrl, bob.token);
  await early.acknowledged;
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(PresenceChangedDocument);
  const user = { id: bob.id, name: bob.name };
  expect((await received.next()).presenceChanged).toEqual({ id: bob.id, user, online: true, lastSeenAt: null });
  const late = connect(gateway.wsUrl, carol.token);
  expect(await next(received)).toBe("Carol Clark online");
  await early[Symbol.asyncDispose]();
  const { presenceChanged: offline } = await received.next();
  expect(offline).toEqual({ id: bob.id, user, online: false, lastSeenAt: expect.stringMatching(INSTANT) });
  const { chat } = await watcher.run(ChatDocument, { id: shop });
  expect(chat.presence).toEqual([offline]);
  await using back = connect(gateway.wsUrl, bob.token);
  await back.acknowledged;
  expect((await received.next()).presenceChanged).toEqual({ id: bob.id, user, online: true, lastSeenAt: null });
  await late[Symbol.asyncDispose]();
  expect(await next(received)).toBe("Carol Clark offline");
});

test("a user is online as long as one of several devices is", async () => {
  await using gateway = await startGateway(AT_ONCE);
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(PresenceChangedDocument);
  await watcher.run(ChatsDocument);
  const devices = Array.from({ length: 3 }, () => connect(gateway.wsUrl, bob.token));
  await Promise.all(devices.map((device) => device.acknowledged));
  expect(await next(received)).toBe("Bob Brown online");
  for (const device of devices.slice(1)) await device[Symbol.asyncDispose]();
  const other = connect(gateway.wsUrl, carol.token);
  expect(await next(received)).toBe("Carol Clark online");
  // Carol leaves after Bob's two devices have: theirs would have been the first event.
  await other[Symbol.asyncDispose]();
  expect(await next(received)).toBe("Carol Clark offline");
  await devices[0]?.[Symbol.asyncDispose]();
  expect(await next(received)).toBe("Bob Brown offline");
});

test("a reload within the grace is no event; staying away is one, when it is over", async () => {
  using graces = new HeldTimers(GRACE_MS);
  await using gateway = await startGateway({ PRESENCE_GRACE: String(GRACE_MS) });
  await using watcher = connect(gateway.wsUrl, alice.token);
  const reloading = connect(gateway.wsUrl, bob.token);
  const leaving = connect(gateway.wsUrl, carol.token);
  await Promise.all([reloading.acknowledged, leaving.acknowledged]);
  await using received = watcher.subscribe(PresenceChangedDocument);
  expect([await next(received), await next(received)].toSorted()).toEqual(["Bob Brown online", "Carol Clark online"]);
  await reloading[Symbol.asyncDispose]();
  await graces.waiting(1);
  await using back = connect(gateway.wsUrl, bob.token);
  await back.acknowledged;
  await graces.waiting(0);
  // Had Bob's grace gone on, it would be over before Carol's.
  await leaving[Symbol.asyncDispose]();
  await graces.waiting(1);
  graces.runOut();
  expect(await next(received)).toBe("Carol Clark offline");
  expect((await watcher.run(ChatDocument, { id: shop })).chat.presence).toMatchObject([{ online: true }]);
});

test("within the grace a user counts as online", async () => {
  await using gateway = await startGateway({ PRESENCE_GRACE: "600000" });
  const leaving = connect(gateway.wsUrl, bob.token);
  await leaving.acknowledged;
  await leaving[Symbol.asyncDispose]();
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(PresenceChangedDocument, { chatId: shop });
  expect((await received.next()).presenceChanged).toMatchObject({ user: { id: bob.id }, online: true });
});

test("nobody sees one's own presence, on whatever device", async () => {
  await using gateway = await startGateway(AT_ONCE);
  await using one = connect(gateway.wsUrl, alice.token);
  await using ofAll = one.subscribe(PresenceChangedDocument);
  await using ofShop = one.subscribe(PresenceChangedDocument, { chatId: shop });
  await one.run(ChatsDocument);
  const two = connect(gateway.wsUrl, alice.token);
  await two.acknowledged;
  await two[Symbol.asyncDispose]();
  await using other = connect(gateway.wsUrl, bob.token);
  await other.acknowledged;
  for (const received of [ofAll, ofShop]) expect(await next(received)).toBe("Bob Brown online");
});

test("a change is told once on each subscription, however many chats are shared", async () => {
  await using gateway = await startGateway(AT_ONCE);
  gateway.api.data.createChat({ participants: [alice.id, bob.id] });
  await using watcher = connect(gateway.wsUrl, alice.token);
  const ofAll = [watcher.subscribe(PresenceChangedDocument), watcher.subscribe(PresenceChangedDocument)];
  const ofOne = [shop, team].map((chatId) => watcher.subscribe(PresenceChangedDocument, { chatId }));
  // Another type of subscription has the user's rooms listened to as well.
  await using messages = watcher.subscribe(MessageAddedDocument);
  await watcher.run(ChatsDocument);
  const seen = connect(gateway.wsUrl, bob.token);
  for (const received of [...ofAll, ...ofOne]) expect(await next(received)).toBe("Bob Brown online");
  await seen[Symbol.asyncDispose]();
  for (const received of [...ofAll, ...ofOne]) expect(await next(received)).toBe("Bob Brown offline");
  expect(messages.waiting).toEqual([]);
});

test("only people who share a chat are seen", async () => {
  await using gateway = await startGateway(AT_ONCE);
  const stranger = gateway.api.data.createUser({ name: "Dave Dunn" });
  gateway.api.data.createChat({ participants: [bob.id, stranger.id] });
  await using hidden = connect(gateway.wsUrl, stranger.token);
  await hidden.acknowledged;
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(PresenceChangedDocument);
  await using ofStranger = hidden.subscribe(PresenceChangedDocument);
  await Promise.all([watcher.run(ChatsDocument), hidden.run(ChatsDocument)]);
  await using second = connect(gateway.wsUrl, stranger.token);
  await second.acknowledged;
  await using seen = connect(gateway.wsUrl, bob.token);
  await seen.acknowledged;
  expect(await next(received)).toBe("Bob Brown online");
  expect(await next(ofStranger)).toBe("Bob Brown online");
});

test("with a chatId only its members are seen", async () => {
  await using gateway = await startGateway(AT_ONCE);
  await using watcher = connect(gateway.wsUrl, bob.token);
  await using early = connect(gateway.wsUrl, alice.token);
  await early.acknowledged;
  await using ofPair = watcher.subscribe(PresenceChangedDocument, { chatId: pair });
  await watcher.run(ChatsDocument);
  await early[Symbol.asyncDispose]();
  await using other = connect(gateway.wsUrl, carol.token);
  await other.acknowledged;
  expect(await next(ofPair)).toBe("Carol Clark online");
});

describe("a chat that one joins brings its people", () => {
  const discoveries: readonly [string, (watcher: TestClient, other: TestClient, chatId: string) => Promise<unknown>][] =
    [
      ["the viewer lists the chats", (watcher) => watcher.run(ChatsDocument)],
      ["another member lists the chats", (_watcher, other) => other.run(ChatsDocument)],
      [
        "another member sends a message",
        (_watcher, other, chatId) => other.run(SendMessageDocument, { chatId, content: "hello" }),
      ],
    ];

  test.each(discoveries)("as soon as %s", async (_how, discover) => {
    await using gateway = await startGateway(AT_ONCE);
    const stranger = gateway.api.data.createUser({ name: "Dave Dunn" });
    const other = connect(gateway.wsUrl, stranger.token);
    await using watcher = connect(gateway.wsUrl, alice.token);
    await using received = watcher.subscribe(PresenceChangedDocument);
    await using ofOther = other.subscribe(PresenceChangedDocument);
    await Promise.all([watcher, other].map((client) => client.run(ChatsDocument)));
    const { id: chatId } = gateway.api.data.createChat({ participants: [alice.id, stranger.id] });
    await discover(watcher, other, chatId);
    expect(await next(received)).toBe("Dave Dunn online");
    expect(await next(ofOther)).toBe("Alice Adams online");
    await other[Symbol.asyncDispose]();
    expect(await next(received)).toBe("Dave Dunn offline");
  });
});

test("a stream over SSE is a connection", async () => {
  await using gateway = await startGateway(AT_ONCE);
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(PresenceChangedDocument);
  await watcher.run(ChatsDocument);
  const stream = await openEventStream(gateway.url, { query: print(MessageAddedDocument) }, bob.token);
  expect(await next(received)).toBe("Bob Brown online");
  stream.abort();
  expect(await next(received)).toBe("Bob Brown offline");
});

test("over SSE presence comes as over WebSocket", async () => {
  await using gateway = await startGateway(AT_ONCE);
  const operation = { query: print(PresenceChangedDocument), variables: { chatId: shop } };
  await using watcher = await openEventStream(gateway.url, operation, alice.token);
  const seen = connect(gateway.wsUrl, bob.token);
  expect(await watcher.next()).toMatchObject({ data: { presenceChanged: { user: { id: bob.id }, online: true } } });
  await seen[Symbol.asyncDispose]();
  expect(await watcher.next()).toMatchObject({ data: { presenceChanged: { user: { id: bob.id }, online: false } } });
});

describe("in a chat with more than PRESENCE_MAX_MEMBERS members", () => {
  test("presence is answered on request, and sent through smaller chats alone", async () => {
    await using gateway = await startGateway({ ...AT_ONCE, PRESENCE_MAX_MEMBERS: "2" });
    const dave = gateway.api.data.createUser({ name: "Dave Dunn" });
    const { id: large } = gateway.api.data.createChat({ participants: [alice.id, bob.id, dave.id] });
    await using watcher = connect(gateway.wsUrl, alice.token);
    await using ofAll = watcher.subscribe(PresenceChangedDocument);
    await using ofLarge = watcher.subscribe(PresenceChangedDocument, { chatId: large });
    await using messages = watcher.subscribe(MessageAddedDocument, { chatId: large });
    await watcher.run(ChatsDocument);
    await using unseen = connect(gateway.wsUrl, dave.token);
    await unseen.acknowledged;
    await using seen = connect(gateway.wsUrl, bob.token);
    await seen.run(SendMessageDocument, { chatId: large, content: "barrier" });
    expect(await next(ofAll)).toBe("Bob Brown online");
    await messages.next();
    const { chat } = await watcher.run(ChatDocument, { id: large });
    expect(chat.presence).toMatchObject([{ online: true }, { online: true }]);
    expect([ofAll.waiting, ofLarge.waiting]).toEqual([[], []]);
  });
});
