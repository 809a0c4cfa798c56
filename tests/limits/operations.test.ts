/** RATE_LIMIT_OPERATIONS: what a user may ask for in a while, over every transport. */
import { expect, test } from "vitest";
import { CONFIG_TABLE } from "../../src/config/config.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { refusal } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatDocument,
  ChatsDocument,
  MeDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";
import { openAcknowledged } from "../support/raw-socket.ts";

const [alice, bob] = DEMO_USERS;
const { shop } = DEMO_CHATS;

const RATE_LIMITED = { code: "RATE_LIMITED", retryAfterMs: expect.any(Number) };

const limits = new Set(["RATE_LIMIT_OPERATIONS", "RATE_LIMIT_MESSAGES", "RATE_LIMIT_FAILED_AUTH"]);
const DEFAULTS = Object.fromEntries(
  CONFIG_TABLE.filter(({ name }) => limits.has(name)).map(({ name, default: value }) => [name, value ?? ""]),
);

test("a user's operations are counted over WebSocket, HTTP and SSE together, and nobody else's", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "4/1m" });
  await using one = connect(gateway.wsUrl, alice.token);
  await using two = connect(gateway.wsUrl, gateway.api.data.issueToken(alice.id));
  await using other = connect(gateway.wsUrl, bob.token);
  await one.run(MeDocument);
  await using running = one.subscribe(MessageAddedDocument);
  await two.run(ChatsDocument);
  expect((await postOperation(gateway.url, { query: "{ me { id } }" }, alice.token)).status).toBe(200);
  // Whose token it is may be asked again meanwhile.
  const others = { token: alice.token, path: /^(?!\/auth\/profile)/ };
  const asked = gateway.api.faults.requests.count(others);
  expect(await refusal(one.run(ChatsDocument))).toEqual(RATE_LIMITED);
  expect((await two.subscribe(MessageAddedDocument).ended)[0]?.extensions).toEqual(RATE_LIMITED);
  const overHttp = await postOperation(gateway.url, { query: "{ chats { id } }" }, alice.token);
  expect(overHttp.status).toBe(429);
  expect(Number(overHttp.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(overHttp.errors?.[0]?.extensions).toEqual(RATE_LIMITED);
  const overSse = await postOperation(gateway.url, { query: "subscription { messageAdded { id } }" }, alice.token, {
    accept: "text/event-stream, application/json",
  });
  expect([overSse.status, ...codesOf(overSse.errors)]).toEqual([429, "RATE_LIMITED"]);
  expect(gateway.api.faults.requests.count(others)).toBe(asked);
  // What runs goes on, and so does everybody else.
  await other.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await running.next()).messageAdded.content).toBe("hello");
});

test.each([
  ["aliases", "{ a: me { id } b: me { id } c: me { id } d: me { id } }", 4],
  ["fragments", "{ ...F ... { b: me { id } } } fragment F on Query { me { id } ... on Query { c: me { id } } }", 3],
  ["one name twice", "{ me { id } me { name } }", 1],
  ["nested fields", "{ me { id name email } }", 1],
])("each root field of an operation counts: %s", async (_what, query, cost) => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: `${cost + 1}/1m` });
  const run = (text: string) => postOperation(gateway.url, { query: text }, alice.token);
  expect((await run(query)).errors).toBeUndefined();
  expect((await run("{ me { id } }")).errors).toBeUndefined();
  expect(codesOf((await run("{ me { id } }")).errors)).toEqual(["RATE_LIMITED"]);
});

test("what an operation causes at the REST API counts as well", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "3/1m" });
  for (let count = 0; count < 30; count++) gateway.api.data.createChat({ participants: [alice.id, bob.id] });
  await using client = connect(gateway.wsUrl, alice.token);
  const all = { query: "{ chats { messages(last: 1) { nodes { id } } } }" };
  expect((await postOperation(gateway.url, all, alice.token)).errors).toBeUndefined();
  expect(await refusal(client.run(MeDocument))).toEqual(RATE_LIMITED);
});

test("an operation that costs more than the whole allowance runs where nothing was used of it", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "2/1m" });
  const query = "{ a: me { id } b: me { id } c: me { id } }";
  expect((await postOperation(gateway.url, { query }, alice.token)).errors).toBeUndefined();
  expect(codesOf((await postOperation(gateway.url, { query }, alice.token)).errors)).toEqual(["RATE_LIMITED"]);
});

test("a page that opens a hundred chats at once is not limited by default", async () => {
  await using gateway = await startGateway(DEFAULTS);
  const ids = Array.from({ length: 100 }, () => gateway.api.data.createChat({ participants: [alice.id, bob.id] }).id);
  await using page = connect(gateway.wsUrl, alice.token);
  const streams = ids.map((chatId) => page.subscribe(MessageAddedDocument, { chatId }));
  const [{ me }, { chats }, ...opened] = await Promise.all([
    page.run(MeDocument),
    page.run(ChatsDocument),
    ...ids.map((id) => page.run(ChatDocument, { id })),
  ]);
  expect([me.id, chats.length, opened.length]).toEqual([alice.id, 102, 100]);
  await using other = connect(gateway.wsUrl, bob.token);
  const last = ids.at(-1) ?? "";
  await other.run(SendMessageDocument, { chatId: last, content: "hello" });
  expect((await streams.at(-1)?.next())?.messageAdded.content).toBe("hello");
});

test("twenty tabs of one user that load at once are not limited by default", async () => {
  await using gateway = await startGateway(DEFAULTS);
  await using stack = new AsyncDisposableStack();
  const tabs = Array.from({ length: 20 }, () => stack.use(connect(gateway.wsUrl, alice.token)));
  const received = await Promise.all(
    tabs.map(async (tab) => {
      const messages = stack.use(tab.subscribe(MessageAddedDocument));
      for (const document of [ReadReceiptDocument, TypingChangedDocument, PresenceChangedDocument] as const) {
        stack.use(tab.subscribe<unknown, Record<string, unknown>>(document));
      }
      await Promise.all([tab.run(MeDocument), tab.run(ChatsDocument), tab.run(ChatDocument, { id: shop })]);
      return messages;
    }),
  );
  await tabs[0]?.run(SendMessageDocument, { chatId: shop, content: "hello" });
  for (const messages of received) expect((await messages.next()).messageAdded.content).toBe("hello");
});

test("a client that goes on far above its limit is closed with 4429, and its user's other devices are not", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "20/1m", ADMIN_PORT: "0" });
  await using quiet = connect(gateway.wsUrl, alice.token);
  await using running = quiet.subscribe(MessageAddedDocument);
  await quiet.run(MeDocument);
  await using flooder = await openAcknowledged(gateway.wsUrl, alice.token);
  for (let id = 0; id < 1000; id++) {
    flooder.send({ id: String(id), type: "subscribe", payload: { query: "{ me { id } }" } });
  }
  expect(await flooder.closed).toEqual({ code: 4429, reason: "Too many operations" });
  const metrics = await scrape(gateway.adminUrl ?? "");
  expect(metrics.value("chat_gateway_rate_limited_total", { limit: "connection" })).toBe(1);
  expect(await refusal(quiet.run(MeDocument))).toEqual(RATE_LIMITED);
  await using other = connect(gateway.wsUrl, bob.token);
  await other.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await running.next()).messageAdded.content).toBe("hello");
});
