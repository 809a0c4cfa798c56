/** Cursors of messages that came in a replay: wherever its reader was interrupted, the rest comes after the last one that it has. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import type { WireMessage } from "../../src/upstream/chat-api.ts";
import { createTestBus } from "../support/bus.ts";
import { follow, page, send } from "../support/chatting.ts";
import { connect, type TestClient } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";
import { ChatsDocument, MessageAddedDocument } from "../support/generated/graphql.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

interface Written {
  readonly content: string;
  /** Seconds before now. */
  readonly age: number;
  /** What the REST API orders messages of one instant by. */
  readonly id: string;
}

interface Replayed {
  readonly content: string;
  readonly cursor: string;
}

const NOW_MS = Math.floor(Date.now() / 1000) * 1000;

/** Messages of the history alone, and then others that are published. */
async function write(gateway: TestGateway, chatId: string, published: readonly Written[]): Promise<void> {
  const { data } = gateway.api;
  for (const n of [1, 2, 3]) {
    const createdAt = new Date(Date.UTC(2026, 0, 1)).toISOString();
    data.addMessage({ chatId, senderId: bob.id, content: `old${n}`, createdAt, id: `old${n}` });
  }
  for (const { content, age, id } of published) {
    const createdAt = new Date(NOW_MS - age * 1000).toISOString();
    const message = data.addMessage({ chatId, senderId: bob.id, content, createdAt, id });
    await tell(gateway, { type: "message.created", data: { message } });
  }
}

/** So many messages of a chat after a cursor. @param isOfAll whether all chats are subscribed to. */
async function replay(
  client: TestClient,
  { chatId, after, isOfAll }: { readonly chatId: string; readonly after: string; readonly isOfAll: boolean },
  count: number,
): Promise<readonly Replayed[]> {
  await using received = client.subscribe(MessageAddedDocument, isOfAll ? { after } : { chatId, after });
  const messages: Replayed[] = [];
  while (messages.length < count) {
    const { messageAdded } = await received.next();
    if (messageAdded.chatId === chatId) messages.push(messageAdded);
  }
  return messages;
}

const IN_ONE_INSTANT: readonly Written[] = [
  { content: "a", age: 1, id: "3" },
  { content: "b", age: 1, id: "2" },
  { content: "c", age: 1, id: "1" },
  { content: "d", age: 1, id: "4" },
];

const IN_ANOTHER_ORDER: readonly Written[] = [
  { content: "a", age: 2, id: "1" },
  { content: "b", age: 4, id: "2" },
  { content: "c", age: 3, id: "3" },
  { content: "d", age: 1, id: "4" },
];

test.each<[string, boolean, readonly Written[]]>([
  ["in another order than they were created", false, IN_ANOTHER_ORDER],
  ["in another order than they were created, to a subscription to all chats", true, IN_ANOTHER_ORDER],
  ["in one instant, in another order than the REST API has them", false, IN_ONE_INSTANT],
  ["in one instant, to a subscription to all chats", true, IN_ONE_INSTANT],
])("messages that were published %s", async (_how, isOfAll, published) => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  const { id: chatId } = gateway.api.data.createChat({ participants: [alice.id, bob.id] });
  await using client = connect(gateway.wsUrl, alice.token);
  await client.run(ChatsDocument);
  await write(gateway, chatId, published);
  const { cursors, contents } = await page(client, chatId);
  expect(contents[0]).toBe("old1");
  let after = cursors[0] ?? "";
  const expected = ["old2", "old3", "a", "b", "c", "d"];
  while (expected.length > 0) {
    const replayed = await replay(client, { chatId, after, isOfAll }, expected.length);
    expect(replayed.map(({ content }) => content)).toEqual(expected);
    expected.shift();
    after = replayed[0]?.cursor ?? "";
  }
});

test.each([
  ["of the chat", false],
  ["of all chats", true],
])(
  "a message that was still being written when a page was read comes after its cursors, to a subscription %s",
  async (_what, isOfAll) => {
    await using gateway = await startGateway({ EVENTS_SECRET });
    const { data } = gateway.api;
    const { id: chatId } = data.createChat({ participants: [alice.id, bob.id] });
    await using client = connect(gateway.wsUrl, alice.token);
    await client.run(ChatsDocument);
    const before = async (content: string, ms: number): Promise<void> => {
      const createdAt = new Date(Date.now() - ms).toISOString();
      const message = data.addMessage({ chatId, senderId: bob.id, content, createdAt });
      await tell(gateway, { type: "message.created", data: { message } });
    };
    await before("a1", 3000);
    await before("a3", 1000);
    const { cursors, contents } = await page(client, chatId);
    expect(contents).toEqual(["a1", "a3"]);
    // Their transactions began before that of a3, and ended after it.
    await before("a2", 2000);
    await before("a0", 4000);
    await before("a4", 0);
    for (const [after = "", expected] of [
      [cursors[0], ["a3", "a2", "a0", "a4"]],
      [cursors[1], ["a2", "a0", "a4"]],
    ] as const) {
      const replayed = await replay(client, { chatId, after, isOfAll }, expected.length);
      expect(replayed.map(({ content }) => content)).toEqual(expected);
    }
  },
);

interface OfChat extends Omit<Written, "id"> {
  readonly chat: "one" | "other";
}

test.each<[string, readonly OfChat[]]>([
  [
    "long after others were created",
    [
      { chat: "other", content: "a", age: 60 },
      { chat: "one", content: "b", age: 40 },
      { chat: "other", content: "c", age: 20 },
    ],
  ],
  [
    "before they were created, by the REST API's clock",
    [
      { chat: "one", content: "a", age: -60 },
      { chat: "other", content: "b", age: -60 },
      { chat: "one", content: "c", age: -60 },
    ],
  ],
])("messages that were published %s, where the log of one of all chats is lost", async (_when, published) => {
  const bus = createTestBus();
  const { log } = bus;
  const lost = new Set<string>();
  const partialLog: typeof log = {
    read: async (topic, after, part) => (lost.has(topic) ? undefined : log.read(topic, after, part)),
    position: (topics) => log.position(topics),
    positionsOf: (topic, ids) => log.positionsOf(topic, ids),
    delayAfter: (topic, after) => log.delayAfter(topic, after),
    tail: (topic) => log.tail(topic),
  };
  await using gateway = await startGateway({ EVENTS_SECRET }, { bus: { ...bus, log: partialLog } });
  const { data } = gateway.api;
  const [one, other] = DEMO_USERS.slice(1, 3).map(({ id }) => data.createChat({ participants: [alice.id, id] }).id);
  if (one === undefined || other === undefined) throw new Error("there are no chats");
  await using client = connect(gateway.wsUrl, alice.token);
  await client.run(ChatsDocument);
  const publish = async (chatId: string, content: string, age: number): Promise<void> => {
    const createdAt = new Date(NOW_MS - age * 1000).toISOString();
    const message = data.addMessage({ chatId, senderId: bob.id, content, createdAt });
    await tell(gateway, { type: "message.created", data: { message } });
  };
  await publish(one, "old", 90);
  const { endCursor } = await page(client, one);
  await publish(one, "first", 80);
  const [first] = await replay(client, { chatId: one, after: endCursor, isOfAll: false }, 1);
  for (const { chat, content, age } of published) await publish(chat === "one" ? one : other, content, age);
  lost.add(chatTopic(one));
  let after = first?.cursor;
  const expected = new Set(published.map(({ content }) => content));
  while (expected.size > 0) {
    await using received = client.subscribe(MessageAddedDocument, { after });
    const replayed: Replayed[] = [];
    while (replayed.length < expected.size) replayed.push((await received.next()).messageAdded);
    expect(new Set(replayed.map(({ content }) => content))).toEqual(expected);
    expected.delete(replayed[0]?.content ?? "");
    after = replayed[0]?.cursor;
  }
});

test("what is published during a replay comes, whenever it was created", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  const { data, faults } = gateway.api;
  await using client = connect(gateway.wsUrl, alice.token);
  const { endCursor } = await page(client, team);
  await send(client, team, "a1");
  using asked = faults.hold({ method: "GET", path: `/chats/${team}/messages`, when: "processed" });
  const transcript = follow(client, { chatId: team, after: endCursor });
  await asked.arrived(1);
  // Its transaction began long before the page was read.
  const createdAt = new Date(Date.UTC(2026, 0, 1)).toISOString();
  const message = data.addMessage({ chatId: team, senderId: bob.id, content: "a2", createdAt });
  await tell(gateway, { type: "message.created", data: { message } });
  asked.lift();
  await send(client, team, "a3");
  await transcript.has("a3");
  expect(transcript.all).toEqual(["a1", "a2", "a3"]);
});

test("a message is not taken for one of another chat that has its id", async () => {
  const second = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
  const record = (chatId: string, n: number): Record<string, unknown> =>
    messageRecord(String(n), chatId, { createdAt: second(n) });
  await using api = await startSmallApi({
    chats: [chatRecord("c1"), chatRecord("c2")],
    messages: {
      c1: { messages: [record("c1", 1), record("c1", 2), record("c1", 3)] },
      c2: { messages: [record("c2", 1), record("c2", 2)] },
    },
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, "token");
  const { cursors } = await page(client, "c1");
  await using received = client.subscribe(MessageAddedDocument, { after: cursors[0] ?? "" });
  const had: string[] = [];
  const take = async (count: number): Promise<void> => {
    while (had.length < count) {
      const { chatId, id } = (await received.next()).messageAdded;
      had.push(`${chatId} ${id}`);
    }
  };
  await take(4);
  for (const n of [3, 4]) await tell(gateway, { type: "message.created", data: { message: written("c2", n) } });
  await take(6);
  expect(had.toSorted()).toEqual(["c1 2", "c1 3", "c2 1", "c2 2", "c2 3", "c2 4"]);

  function written(chatId: string, n: number): WireMessage {
    const sender = { senderId: "u2", senderName: "Ben" };
    return { id: String(n), chatId, ...sender, content: `content of ${n}`, createdAt: second(n) };
  }
});
