/** The order of messages: creation at full precision, equal instants as the API's own pages have them. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { connect, type TestClient } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { json } from "../support/scripted-server.ts";
import { chatRecord, messageRecord, startSmallApi, type SmallApi } from "../support/small-api.ts";

const PAGE: TypedDocumentNode<{ chat: { messages: Page } }, { last?: number; before?: string | null }> =
  parse(`query ($last: Int! = 50, $before: String) {
  chat(id: "c1") { messages(last: $last, before: $before) { nodes { id createdAt } pageInfo { startCursor hasPreviousPage } } }
}`);

const CURSORS: TypedDocumentNode<{ chat: { messages: { nodes: readonly { id: string; cursor: string }[] } } }, {}> =
  parse(`{ chat(id: "c1") { messages(last: 50) { nodes { id cursor } } } }`);

interface Page {
  readonly nodes: readonly { readonly id: string; readonly createdAt: string }[];
  readonly pageInfo: { readonly startCursor: string | null; readonly hasPreviousPage: boolean };
}

async function pageOf(client: TestClient, variables: { last?: number; before?: string | null } = {}): Promise<Page> {
  return (await client.run(PAGE, variables)).chat.messages;
}

/** Page by page back to the oldest. */
async function walk(client: TestClient, last: number): Promise<readonly string[]> {
  const ids: string[] = [];
  let before: string | null = null;
  for (;;) {
    const page: Page = await pageOf(client, { last, before });
    ids.unshift(...page.nodes.map(({ id }) => id));
    if (!page.pageInfo.hasPreviousPage) return ids;
    before = page.pageInfo.startCursor;
  }
}

/** An API with these pages. */
function startPaged(pages: readonly (readonly unknown[])[]): Promise<SmallApi> {
  return startSmallApi({
    chats: [chatRecord("c1")],
    answer({ url }) {
      if (!url.startsWith("/chats/c1/messages")) return undefined;
      const index = Number(new URL(url, "http://api").searchParams.get("nextToken") ?? 0);
      return json(200, { messages: pages[index], nextToken: index + 1 < pages.length ? String(index + 1) : null });
    },
  });
}

const at = (id: string, createdAt: string): object => messageRecord(id, "c1", { createdAt });
const second = (n: number): string => `2026-01-01T00:00:0${n}Z`;

describe("messages of one instant", () => {
  test.each([
    [
      "oldest first",
      [
        ["9", 1],
        ["10", 1],
        ["11", 1],
        ["12", 2],
      ],
    ],
    [
      "newest first",
      [
        ["12", 2],
        ["11", 1],
        ["10", 1],
        ["9", 1],
      ],
    ],
  ] as const)("keep the order of a page that is %s", async (_order, rows) => {
    await using api = await startPaged([rows.map(([id, n]) => at(id, second(n)))]);
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = connect(gateway.wsUrl, "token");
    expect((await pageOf(client)).nodes.map(({ id }) => id)).toEqual(["9", "10", "11", "12"]);
    for (const last of [1, 2, 3]) expect(await walk(client, last)).toEqual(["9", "10", "11", "12"]);
  });

  test("keep the order of pages that go back in time", async () => {
    const pages = [
      [at("12", second(2)), at("11", second(1))],
      [at("10", second(1)), at("9", second(1))],
      [at("8", second(0))],
    ];
    await using api = await startPaged(pages);
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = connect(gateway.wsUrl, "token");
    for (const last of [1, 2, 3, 50]) expect(await walk(client, last)).toEqual(["8", "9", "10", "11", "12"]);
  });

  test.each<[string, readonly (readonly object[])[]]>([
    [
      "the first of which is empty",
      [[], [at("12", second(2)), at("11", second(1))], [at("10", second(1)), at("9", second(1))], [at("8", second(0))]],
    ],
    [
      "the first two of which have one instant",
      [[at("12", second(1)), at("11", second(1))], [at("10", second(1)), at("9", second(1))], [at("8", second(0))]],
    ],
    [
      "each of which has messages of the one before, too",
      [
        [at("12", second(3)), at("11", second(2)), at("10", second(1))],
        [at("11", second(2)), at("10", second(1)), at("9", second(1))],
        [at("8", second(1))],
      ],
    ],
  ])("keep the order of pages that go back in time, %s", async (_how, pages) => {
    await using api = await startPaged(pages);
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = connect(gateway.wsUrl, "token");
    for (const last of [1, 2, 3, 50]) expect(await walk(client, last)).toEqual(["8", "9", "10", "11", "12"]);
  });

  test("keep the order of pages that go forward in time", async () => {
    await using api = await startPaged([
      [at("9", second(1)), at("10", second(1))],
      [at("8", second(1)), at("7", second(2))],
    ]);
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = connect(gateway.wsUrl, "token");
    for (const last of [1, 2, 50]) expect(await walk(client, last)).toEqual(["9", "10", "8", "7"]);
  });
});

const REPLAY: TypedDocumentNode<{ messageAdded: { id: string; cursor: string } }, { after: string }> = parse(
  `subscription ($after: String!) { messageAdded(chatId: "c1", after: $after) { id cursor } }`,
);

describe("a replay that begins within an instant", () => {
  test.each([
    ["oldest first", ["a", "b", "c", "d", "e"]],
    ["newest first", ["f", "e", "d", "c", "b", "a"]],
  ])("goes on from the cursor of each of its messages, on a page that is %s", async (_order, ids) => {
    const rows = ids.map((id) => at(id, second(id === "f" ? 2 : 1)));
    await using api = await startPaged([rows]);
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = connect(gateway.wsUrl, "token");
    const { chat } = await client.run(CURSORS);
    const expected = chat.messages.nodes.map(({ id }) => id);
    /** What comes after a cursor, with the cursors of its own. */
    async function replay(after: string, count: number): Promise<readonly { id: string; cursor: string }[]> {
      await using received = client.subscribe(REPLAY, { after });
      const messages: { id: string; cursor: string }[] = [];
      while (messages.length < count) messages.push((await received.next()).messageAdded);
      return messages;
    }
    let [{ cursor } = { cursor: "" }] = chat.messages.nodes;
    for (let count = expected.length - 1; count > 0; count--) {
      const messages = await replay(cursor, count);
      expect(messages.map(({ id }) => id)).toEqual(expected.slice(-count));
      cursor = messages[0]?.cursor ?? "";
    }
  });
});

test("before the cursor of a message of the log that is gone comes what has its instant", async () => {
  const rows = ["a", "b"].map((id) => at(id, second(1)));
  await using api = await startPaged([rows]);
  await using gateway = await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, "token");
  const after = (await client.run(CURSORS)).chat.messages.nodes.at(-1)?.cursor ?? "";
  const message = { id: "c", chatId: "c1", senderId: "u2", senderName: "Ben", content: "gone", createdAt: second(1) };
  await tell(gateway, { type: "message.created", data: { message } });
  await using received = client.subscribe(REPLAY, { after });
  const { cursor } = (await received.next()).messageAdded;
  expect((await pageOf(client, { before: cursor })).nodes.map(({ id }) => id)).toEqual(["a", "b"]);
});

test("microseconds count, and are not shown", async () => {
  const instants = ["2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.1234561Z"];
  await using api = await startPaged([instants.map((instant, index) => at(`m${index}`, instant))]);
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  const { nodes } = await pageOf(client);
  expect(nodes.map(({ id }) => id)).toEqual(["m1", "m0", "m2"]);
  expect(new Set(nodes.map(({ createdAt }) => createdAt))).toEqual(new Set(["2026-01-01T00:00:00.123Z"]));
  for (const last of [1, 2]) expect(await walk(client, last)).toEqual(["m1", "m0", "m2"]);
});
