import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { refusal } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatDocument, ChatsDocument, MeDocument } from "../support/generated/graphql.ts";
import { runnerOver, TRANSPORTS } from "../support/runner.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

function named({ id, name }: (typeof DEMO_USERS)[number]): { id: string; name: string } {
  return { id, name };
}

describe.each(TRANSPORTS)("over %s", (transport) => {
  test("me is whom the token belongs to", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const { id, name, email } = alice;
    expect(await client.run(MeDocument)).toEqual({ me: { id, name, email, role: "user" } });
  });

  test("chats are the viewer's, most recently updated first whatever the API's order", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, bob.token);
    const { chats } = await client.run(ChatsDocument);
    expect(chats.map(({ id }) => id)).toEqual([pair, shop, team]);
    gateway.api.data.addMessage({ chatId: team, senderId: carol.id, content: "newest" });
    const { chats: later } = await client.run(ChatsDocument);
    expect(later.map(({ id }) => id)).toEqual([team, pair, shop]);
    expect(later[0]?.lastMessage).toMatchObject({ content: "newest", sender: named(carol) });
  });

  test("a chat in the list has its title, its participants in order, its last message and what is unread", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const { chats } = await client.run(ChatsDocument);
    expect(chats.find(({ id }) => id === shop)).toMatchObject({
      title: "Corner Bookshop",
      participants: [named(alice), named(bob)],
      unreadCount: 2,
      createdAt: "2026-01-28T16:00:00.000Z",
      updatedAt: "2026-01-31T09:30:25.000Z",
      lastMessage: {
        chatId: shop,
        sender: named(bob),
        content: "And the atlas that you asked about in December is back in print.",
        createdAt: "2026-01-31T09:30:25.000Z",
        readAt: null,
        clientMessageId: null,
      },
    });
    await using other = runnerOver(transport, gateway, carol.token);
    const untitled = (await other.run(ChatsDocument)).chats.find(({ id }) => id === pair);
    expect(untitled).toMatchObject({ title: null, participants: [named(bob), named(carol)], unreadCount: 0 });
  });

  test("a chat tells what is unread though the API's answer about one chat does not", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const { chat } = await client.run(ChatDocument, { id: shop });
    expect(chat).toMatchObject({ id: shop, unreadCount: 2 });
    expect(chat.messages.nodes).toHaveLength(7);
  });

  test.each([
    ["that does not exist", "no-such-chat", "NOT_FOUND"],
    ["of others", shop, "NOT_PARTICIPANT"],
    ["whose id no path can carry", "..", "NOT_FOUND"],
  ])("a chat %s is refused", async (_which, id, code) => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, carol.token);
    expect(await refusal(client.run(ChatDocument, { id }))).toEqual({ code });
    expect(await client.run(MeDocument)).toMatchObject({ me: { id: carol.id } });
  });

  test("a refusal is told to the client alone, not to the log", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, carol.token);
    await refusal(client.run(ChatDocument, { id: "no-such-chat" }));
    // A client's own mistake is no operator's business.
    expect(gateway.logged.filter(({ requestId }) => requestId !== undefined)).toEqual([]);
  });
});

test("a chat shows the presence of every other participant", async () => {
  await using gateway = await startGateway({ PRESENCE_GRACE: "0" });
  await using client = connect(gateway.wsUrl, alice.token);
  const presence = async (): Promise<unknown> => (await client.run(ChatDocument, { id: team })).chat.presence;
  const unknown = { online: false, lastSeenAt: null };
  expect(await presence()).toEqual([
    { id: bob.id, user: named(bob), ...unknown },
    { id: carol.id, user: named(carol), ...unknown },
  ]);
  const other = connect(gateway.wsUrl, carol.token);
  await other.acknowledged;
  await expect.poll(presence).toEqual([
    { id: bob.id, user: named(bob), ...unknown },
    { id: carol.id, user: named(carol), online: true, lastSeenAt: null },
  ]);
  await other[Symbol.asyncDispose]();
  await expect.poll(presence).toEqual([
    { id: bob.id, user: named(bob), ...unknown },
    { id: carol.id, user: named(carol), online: false, lastSeenAt: expect.stringMatching(/^\d{4}-.*T.*\.\d{3}Z$/) },
  ]);
});

const WIRE_CHAT = {
  id: "one",
  participants: [alice.id, "nameless"],
  participantNames: [alice.name],
  unreadCount: 0,
  createdAt: "2026-01-31T09:30:00Z",
  updatedAt: "2026-01-31T10:30:00+01:00",
  somethingNew: { ignored: true },
};

test("instants come out in one form, and are ordered by time, however the API writes them", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  const lastMessage = {
    id: "m",
    chatId: "later",
    senderId: alice.id,
    senderName: alice.name,
    content: "c",
    createdAt: "2026-01-31T09:30:00.1234567Z",
    readAt: "Sat, 31 Jan 2026 09:31:00 GMT",
  };
  const later = { ...WIRE_CHAT, id: "later", updatedAt: "2026-01-31T09:45:00.500Z", lastMessage };
  using _ = gateway.api.faults.answer({ body: { chats: [WIRE_CHAT, later] } }, { path: "/chats" });
  const { chats } = await client.run(ChatsDocument);
  expect(chats).toMatchObject([
    {
      id: "later",
      updatedAt: "2026-01-31T09:45:00.500Z",
      lastMessage: { createdAt: "2026-01-31T09:30:00.123Z", readAt: "2026-01-31T09:31:00.000Z" },
    },
    { id: "one", createdAt: "2026-01-31T09:30:00.000Z", updatedAt: "2026-01-31T09:30:00.000Z", lastMessage: null },
  ]);
});

test("a participant for whom the API has no name is still one", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  using _ = gateway.api.faults.answer({ body: { chats: [WIRE_CHAT] } }, { path: "/chats" });
  const { chats } = await client.run(ChatsDocument);
  expect(chats[0]?.participants).toEqual([named(alice), { id: "nameless", name: "nameless" }]);
});

test("a last message in a form of the API's own is read from the history instead", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, bob.token);
  await client.acknowledged;
  const newest = gateway.api.data.messages(shop).at(-1);
  const chat = { ...WIRE_CHAT, id: shop, participants: [bob.id], lastMessage: "And the atlas…" };
  using _ = gateway.api.faults.answer({ body: { chats: [chat] } }, { path: "/chats" });
  const { chats } = await client.run(ChatsDocument);
  expect(chats[0]?.lastMessage).toMatchObject({ id: newest?.id, content: newest?.content });
});

describe("one operation asks the API nothing twice", () => {
  const requests = [
    [
      "the same chat under several names",
      `{ a: chat(id: "${shop}") { id unreadCount } b: chat(id: "${shop}") { title unreadCount } }`,
      { [`/chats/${shop}`]: 1, "/chats": 1 },
    ],
    [
      "the list under several names, with what is unread in each",
      `{ a: chats { id unreadCount } b: chats { id unreadCount } chat(id: "${shop}") { unreadCount } }`,
      { [`/chats/${shop}`]: 1, "/chats": 1 },
    ],
    [
      "the unread counts of several chats",
      `{ a: chat(id: "${shop}") { unreadCount } b: chat(id: "${team}") { unreadCount } }`,
      { [`/chats/${shop}`]: 1, [`/chats/${team}`]: 1, "/chats": 1 },
    ],
    [
      "the same page under several names, and other pages of the same history",
      `{ a: chat(id: "${shop}") {
           a: messages(last: 5) { nodes { id } } b: messages(last: 5) { nodes { content } } c: messages(last: 2) { nodes { id } }
         }
         b: chat(id: "${shop}") { messages(last: 5) { edges { cursor } } } }`,
      { [`/chats/${shop}`]: 1, [`/chats/${shop}/messages`]: 1 },
    ],
    ["who asks, over a connection", `{ a: me { id } b: me { name } }`, {}],
  ] as const;

  test.each(requests)("%s", async (_what, query, expected) => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    await client.acknowledged;
    const { requests: received } = gateway.api.faults;
    received.clear();
    await client.run(parse(query));
    const counts: Record<string, number> = {};
    for (const { path } of received.filter()) {
      const [name = ""] = path.split("?");
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(counts).toEqual(expected);
  });
});
