import { expect, test } from "vitest";
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { compareInstants } from "../../src/upstream/instant.ts";
import { wirePage, type WirePage } from "../../src/upstream/wire.ts";
import { call } from "./client.ts";

const COUNT = 123;

/** A chat with 123 messages, one a second. */
function longChat({ data, users }: DevApi): string {
  const [alice, bob] = users;
  if (alice === undefined || bob === undefined) throw new Error("Two demo users are needed.");
  const { id: chatId } = data.createChat({ participants: [alice.id, bob.id] });
  for (let second = 0; second < COUNT; second += 1) {
    const createdAt = new Date(Date.UTC(2026, 1, 1) + second * 1000).toISOString();
    data.addMessage({ chatId, senderId: alice.id, content: String(second), createdAt });
  }
  return chatId;
}

async function readPages(
  api: DevApi,
  chatId: string,
  limit: string,
  next: (page: WirePage) => string | undefined,
): Promise<readonly WirePage[]> {
  const pages: WirePage[] = [];
  let continuation: string | undefined = "";
  while (continuation !== undefined) {
    const { body } = await call(api, `GET /chats/${chatId}/messages?${limit}${continuation}`);
    const page = wirePage.parse(body);
    pages.push(page);
    continuation = next(page);
  }
  return pages;
}

const DIALECTS = [
  {
    paging: "nextToken",
    next: ({ nextToken }: WirePage) => nextToken && `&nextToken=${encodeURIComponent(nextToken)}`,
  },
  {
    paging: "lastEvaluatedKey",
    next: ({ lastEvaluatedKey: key }: WirePage) => key && `&lastMessageId=${encodeURIComponent(key.id)}`,
  },
] as const;

test.each(DIALECTS)(
  "In the dialect $paging all pages together have every message once",
  async ({ paging, next: nextOf }) => {
    await using api = await startDevApi({ file: ":memory:", paging });
    const chatId = longChat(api);
    const pages = await readPages(api, chatId, "limit=25", (page) => nextOf(page) ?? undefined);
    expect(pages.map(({ messages }) => messages.length)).toEqual([25, 25, 25, 25, 23]);
    const contents = pages.flatMap(({ messages }) => messages.map(({ content }) => Number(content)));
    expect(contents.toSorted((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, second) => second));
  },
);

test("Pages are in the order of ids, and each is sorted by createdAt in itself", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const chatId = longChat(api);
  const pages = await readPages(api, chatId, "limit=25", (page) => DIALECTS[0].next(page) ?? undefined);
  for (const { messages } of pages) {
    const instants = messages.map(({ createdAt }) => createdAt);
    expect(instants).toEqual(instants.toSorted());
  }
  const ids = pages.map(({ messages }) => messages.map(({ id }) => id).toSorted());
  expect(ids.flat()).toEqual(ids.flat().toSorted());
  const contents = pages.flatMap(({ messages }) => messages.map(({ content }) => Number(content)));
  expect(contents).not.toEqual(contents.toSorted((a, b) => a - b));
});

test("The key of the last message names its chat too", async () => {
  await using api = await startDevApi({ file: ":memory:", paging: "lastEvaluatedKey" });
  const chatId = longChat(api);
  const { body } = await call(api, `GET /chats/${chatId}/messages?limit=1`);
  const { messages } = wirePage.parse(body);
  expect(body).toEqual({ messages: [expect.anything()], lastEvaluatedKey: { chatId, id: messages[0]?.id } });
});

test.each(["", "limit=0", "limit=-1", "limit=x", "limit=1.5"])("A page has 50 messages with ?%s", async (limit) => {
  await using api = await startDevApi({ file: ":memory:" });
  const { body } = await call(api, `GET /chats/${longChat(api)}/messages?${limit}`);
  expect(wirePage.parse(body).messages).toHaveLength(50);
});

test("A last page that is full names no next one", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const { body } = await call(api, `GET /chats/${longChat(api)}/messages?limit=${COUNT}`);
  expect(wirePage.parse(body).messages).toHaveLength(COUNT);
  expect(body).not.toHaveProperty("nextToken");
});

test("Dialect and limit can be changed while the API runs", async () => {
  await using api = await startDevApi({ file: ":memory:", ignoreLimit: true });
  const path = `GET /chats/${longChat(api)}/messages?limit=2`;
  const ignored = await call(api, path);
  expect(wirePage.parse(ignored.body).messages).toHaveLength(50);
  expect(ignored.body).toHaveProperty("nextToken");
  Object.assign(api.settings, { ignoreLimit: false, paging: "lastEvaluatedKey" });
  const honoured = await call(api, path);
  expect(wirePage.parse(honoured.body).messages).toHaveLength(2);
  expect(honoured.body).toHaveProperty("lastEvaluatedKey");
});

test("messages of one moment have an order, on whichever pages they are", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  const [alice] = api.users;
  const { id: chatId } = api.data.createChat({ participants: [alice?.id ?? ""] });
  const contents = Array.from({ length: 100 }, (_, n) => String(n));
  for (const content of contents) api.data.addMessage({ chatId, senderId: alice?.id ?? "", content });
  const pages = await readPages(api, chatId, "limit=7", (page) => DIALECTS[0].next(page) ?? undefined);
  const messages = pages.flatMap((page) => page.messages);
  const ordered = messages.toSorted((a, b) => compareInstants(a.createdAt, b.createdAt));
  expect(ordered.map(({ content }) => content)).toEqual(contents);
});
