import { parse, type DocumentNode } from "graphql";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { describe, expect, test } from "vitest";
import type { WireMessage } from "../../src/upstream/wire.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { errorIn, refusal } from "../support/errors.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatDocument, ChatHistoryDocument, MeDocument } from "../support/generated/graphql.ts";
import { runnerOver, TRANSPORTS, type Runner } from "../support/runner.ts";
import { json } from "../support/scripted-server.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

interface PageInfo {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

type Page = { chat: { messages: { nodes: { id: string; cursor: string }[]; pageInfo: PageInfo } } };

const PageDocument = parse(`query ($id: ID!, $last: Int! = 50, $before: String) {
  chat(id: $id) {
    messages(last: $last, before: $before) {
      nodes { id cursor }
      edges { cursor node { id cursor } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`) as TypedDocumentNode<Page, { id: string; last?: number; before?: string | null }>;

/** Messages of a chat in the order that the gateway promises. */
function inOrder(messages: readonly WireMessage[]): readonly string[] {
  return messages
    .toSorted((a, b) => (a.createdAt === b.createdAt ? (a.id < b.id ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1))
    .map(({ id }) => id);
}

/** A chat with `count` messages, in groups of seven of one instant. */
function longChat({ data }: TestGateway["api"], count: number): string {
  const { id: chatId } = data.createChat({ participants: [alice.id, bob.id] });
  for (let n = 0; n < count; n++) {
    const createdAt = new Date(Date.UTC(2026, 0, 1) + Math.floor(n / 7)).toISOString();
    data.addMessage({ chatId, senderId: n % 2 === 0 ? alice.id : bob.id, content: `message ${n}`, createdAt });
  }
  return chatId;
}

/** What the log says of operations that the REST API has failed. */
function causesOf({ logged }: TestGateway): unknown[] {
  return logged
    .filter(({ msg }) => msg === "the REST API failed an operation")
    .map(({ err }) => (err as Error).message);
}

/** Every page from the newest back to the oldest. */
async function walkBack(client: Runner, id: string, last: number): Promise<Page["chat"]["messages"][]> {
  const pages: Page["chat"]["messages"][] = [];
  let before: string | null = null;
  do {
    const { chat }: Page = await client.run(PageDocument, { id, last, before });
    pages.push(chat.messages);
    before = chat.messages.pageInfo.startCursor;
  } while (pages.at(-1)?.pageInfo.hasPreviousPage);
  return pages;
}

const DIALECTS = [
  { paging: "nextToken", ignoreLimit: false },
  { paging: "nextToken", ignoreLimit: true },
  { paging: "lastEvaluatedKey", ignoreLimit: false },
  { paging: "lastEvaluatedKey", ignoreLimit: true },
] as const;

describe.each(DIALECTS)("with an API that pages by $paging (limit ignored: $ignoreLimit)", (settings) => {
  test("a page is the newest messages in the order of time, whatever the order of the API's pages", async () => {
    await using gateway = await startGateway();
    Object.assign(gateway.api.settings, settings);
    const chatId = longChat(gateway.api, 230);
    await using client = connect(gateway.wsUrl, alice.token);
    const { chat } = await client.run(PageDocument, { id: chatId });
    expect(chat.messages.nodes.map(({ id }) => id)).toEqual(inOrder(gateway.api.data.messages(chatId)).slice(-50));
  });

  test("walking back gives every message once, those of one instant too", async () => {
    await using gateway = await startGateway();
    Object.assign(gateway.api.settings, settings);
    const chatId = longChat(gateway.api, 230);
    await using client = connect(gateway.wsUrl, alice.token);
    const pages = await walkBack(client, chatId, 60);
    expect(pages.map(({ nodes }) => nodes.length)).toEqual([60, 60, 60, 50]);
    const walked = pages.toReversed().flatMap(({ nodes }) => nodes.map(({ id }) => id));
    expect(walked).toEqual(inOrder(gateway.api.data.messages(chatId)));
  });
});

test("pageInfo says where a page begins and ends and whether there is more on either side", async () => {
  await using gateway = await startGateway();
  const chatId = longChat(gateway.api, 9);
  await using client = connect(gateway.wsUrl, alice.token);
  const pages = await walkBack(client, chatId, 3);
  expect(pages.map(({ pageInfo }) => [pageInfo.hasPreviousPage, pageInfo.hasNextPage])).toEqual([
    [true, false],
    [true, true],
    [false, true],
  ]);
  for (const { nodes, pageInfo } of pages) {
    expect(pageInfo).toMatchObject({ startCursor: nodes[0]?.cursor, endCursor: nodes.at(-1)?.cursor });
  }
  for (const page of pages) {
    expect(page).toMatchObject({ edges: page.nodes.map((node) => ({ cursor: node.cursor, node })) });
  }
  const first = pages.at(-1)?.pageInfo.startCursor ?? null;
  const { chat: beyond } = await client.run(PageDocument, { id: chatId, before: first });
  expect(beyond.messages).toMatchObject({
    nodes: [],
    pageInfo: { hasPreviousPage: false, hasNextPage: true, startCursor: null, endCursor: null },
  });
  const { id: empty } = gateway.api.data.createChat({ participants: [alice.id] });
  const { chat } = await client.run(PageDocument, { id: empty });
  expect(chat.messages).toMatchObject({
    nodes: [],
    pageInfo: { hasPreviousPage: false, hasNextPage: false, startCursor: null, endCursor: null },
  });
});

test("a chat as long as the page asked for has nothing before it", async () => {
  await using gateway = await startGateway();
  const chatId = longChat(gateway.api, 5);
  await using client = connect(gateway.wsUrl, alice.token);
  const hasPreviousPage = async (last: number): Promise<boolean> =>
    (await client.run(PageDocument, { id: chatId, last })).chat.messages.pageInfo.hasPreviousPage;
  expect(await Promise.all([4, 5, 6, 500].map(hasPreviousPage))).toEqual([true, false, false, false]);
});

test("a message that two pages of the API have is in the page once", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  await client.acknowledged;
  const [first, second, third] = gateway.api.data.messages(shop);
  const path = `/chats/${shop}/messages`;
  // The faults of a gateway end with it.
  gateway.api.faults.answer({ body: { messages: [first, third], nextToken: "t" } }, { path, times: 1 });
  gateway.api.faults.answer({ body: { messages: [second, third] } }, { path: /nextToken=t$/ });
  const { chat } = await client.run(PageDocument, { id: shop });
  expect(chat.messages.nodes.map(({ id }) => id)).toEqual([first?.id, second?.id, third?.id]);
});

test("a message written while the API's pages are read costs no other its place", async () => {
  await using gateway = await startGateway();
  const { api } = gateway;
  const chatId = longChat(api, 150);
  const before = inOrder(api.data.messages(chatId));
  await using client = connect(gateway.wsUrl, alice.token);
  using gate = api.faults.hold({ path: /\/messages\?.*nextToken=/ });
  const reading = client.run(PageDocument, { id: chatId, last: 500 });
  await gate.arrived();
  api.data.addMessage({ chatId, senderId: bob.id, content: "in the first page", id: "0", createdAt: "2026-01-02" });
  api.data.addMessage({ chatId, senderId: bob.id, content: "in the second page", id: "z", createdAt: "2026-01-03" });
  gate.release();
  const { chat } = await reading;
  expect(chat.messages.nodes.map(({ id }) => id)).toEqual([...before, "z"]);
});

describe("an API whose pages run in a circle is found out", () => {
  const circles = [
    ["nextToken", { nextToken: "again" }],
    ["lastEvaluatedKey", { lastEvaluatedKey: { chatId: shop, id: "again" } }],
  ] as const;
  test.each(circles)("by %s", async (_dialect, next) => {
    await using gateway = await startGateway();
    await using client = connect(gateway.wsUrl, alice.token);
    await client.acknowledged;
    const messages = gateway.api.data.messages(shop).slice(0, 2);
    using _ = gateway.api.faults.answer({ body: { messages, ...next } }, { path: `/chats/${shop}/messages` });
    expect(await refusal(client.run(ChatDocument, { id: shop }))).toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    expect(causesOf(gateway)).toEqual(["a chat's history cannot be read: its pages run in a circle"]);
    expect((await client.run(ChatDocument, { id: team })).chat.messages.nodes).toHaveLength(6);
  });
});

test("of a history with more than a thousand pages the log says that these are too many", async () => {
  let page = 0;
  await using api = await startSmallApi({
    chats: [chatRecord("c1")],
    answer: ({ url }) => {
      if (!url.startsWith("/chats/c1/messages")) return undefined;
      return json(200, { messages: [messageRecord(`m${page}`, "c1")], nextToken: String(page++) });
    },
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  expect(await refusal(client.run(ChatDocument, { id: "c1" }))).toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
  expect(causesOf(gateway)).toEqual([expect.stringContaining("it has more than 1000 pages")]);
});

describe.each(TRANSPORTS)("over %s", (transport) => {
  test.each([0, -1, 501, 100_000])("`last: %i` is out of range", async (last) => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    gateway.api.faults.requests.clear();
    const error = await refusal(client.run(ChatDocument, { id: shop, last }));
    // More than the limit by far is over the cost of any operation, before anybody looks at the argument.
    expect(error).toEqual(last > 10_000 ? { code: "OPERATION_LIMIT" } : { code: "BAD_USER_INPUT", argument: "last" });
    expect(gateway.api.faults.requests.count({ path: `/chats/${shop}/messages` })).toBe(0);
    expect(await client.run(MeDocument)).toMatchObject({ me: { id: alice.id } });
  });

  const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  test.each([
    ["empty", ""],
    ["of the client's own making", "tomorrow"],
    ["not JSON", Buffer.from("[1").toString("base64url")],
    ["of another form", encoded({ id: "m" })],
    ["of a later version", encoded(["2", "2026-01-01T00:00:00.000Z", shop, "m"])],
    ["without an instant", encoded(["1", "yesterday", shop, "m"])],
    ["with a number in it", encoded(["1", "2026-01-01T00:00:00.000Z", shop, 7])],
    ["with more in it", encoded(["1", "2026-01-01T00:00:00.000Z", shop, "m", "n"])],
    ["of another chat", encoded(["1", "2026-01-01T00:00:00.000Z", team, "m"])],
  ])("a cursor that is %s is refused", async (_what, before) => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const error = await errorIn(client.run(ChatHistoryDocument, { id: shop, before }));
    expect(error).toMatchObject({
      path: ["chat", "messages"],
      extensions: { code: "BAD_USER_INPUT", argument: "before" },
    });
    expect(gateway.api.faults.requests.count({ path: `/chats/${shop}/messages` })).toBe(0);
  });

  test("a cursor that another chat's message carries is refused", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const { chat } = await client.run(ChatDocument, { id: team });
    const before = chat.messages.pageInfo.startCursor ?? "";
    expect(await refusal(client.run(ChatHistoryDocument, { id: shop, before }))).toEqual({
      code: "BAD_USER_INPUT",
      argument: "before",
    });
    const { chat: own } = await client.run(ChatHistoryDocument, { id: team, before });
    expect(own.messages.nodes).toEqual([]);
  });
});

test("a negative length does not pay for what is too costly beside it", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, alice.token);
  const costly = Array.from({ length: 40 }, (_, n) => `m${n}: messages(last: 500) { nodes { id content } }`).join(" ");
  const query = (extra: string): DocumentNode => parse(`{ chat(id: "${shop}") { ${costly} ${extra} } }`);
  expect(await refusal(client.run(query("")))).toEqual({ code: "OPERATION_LIMIT" });
  expect(await refusal(client.run(query("pays: messages(last: -1000000) { nodes { id } }")))).toEqual({
    code: "OPERATION_LIMIT",
  });
});
