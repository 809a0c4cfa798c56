/** Answers over HTTP that nobody reads: few are made, and they are not held for ever. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, PERSISTENT } from "../support/client.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { scrape } from "../support/metrics.ts";
import { watchServerSockets } from "../support/server-sockets.ts";
import { rawConnection, rawRequest, type RawConnection } from "../support/tcp.ts";

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

/** Its answer has 6 MB, more than the buffers of the system take. */
const QUERY = `{ chat(id: "${shop}") { messages(last: 100) { nodes { a: content b: content c: content d: content e: content f: content } } } }`;

/** Of the REST API, for one of these. */
const PAGES = 2;

function queryOf(query: string, connection = "keep-alive"): string {
  const headers = { accept: "application/json", authorization: `Bearer ${alice.token}`, connection };
  return rawRequest(`/graphql?query=${encodeURIComponent(query)}`, headers);
}

function fill({ api: { data } }: TestGateway): void {
  for (let count = 0; count < 100; count++) {
    data.addMessage({ chatId: shop, senderId: bob.id, content: `${count} ${"m".repeat(9900)}` });
  }
}

function pages({ api }: TestGateway): number {
  return api.faults.requests.count({ method: "GET", path: `/chats/${shop}/messages` });
}

/** Queries that were executed. */
async function queries({ adminUrl }: TestGateway): Promise<number> {
  return (await scrape(adminUrl ?? "")).value("chat_gateway_operations_total", { type: "query" }) ?? 0;
}

/** Somebody else goes on, for so many messages. */
async function others(gateway: TestGateway, count: number): Promise<void> {
  await using control = connect(gateway.wsUrl, bob.token, PERSISTENT);
  await using received = control.subscribe(MessageAddedDocument, { chatId: team });
  await control.run(ChatsDocument);
  for (let index = 0; index < count; index++) {
    await control.run(SendMessageDocument, { chatId: team, content: `message ${index}` });
    expect((await received.next()).messageAdded.content).toBe(`message ${index}`);
  }
}

test("requests that a client sends without reading wait for the answers before them, and keep their order", async () => {
  await using gateway = await startGateway();
  fill(gateway);
  await using client = await rawConnection(gateway.url);
  client.socket.pause();
  client.send(queryOf(QUERY).repeat(8));
  client.send(queryOf("{ me { id } }", "close"));
  await expect.poll(() => pages(gateway)).toBe(PAGES);
  await others(gateway, 5);
  expect(pages(gateway)).toBe(PAGES);
  client.socket.resume();
  const answers = (await client.received).split("HTTP/1.1 200").slice(1);
  expect(answers.map((answer) => answer.includes(`"me":{"id":"${alice.id}"}`))).toEqual([
    ...Array(8).fill(false),
    true,
  ]);
  expect(pages(gateway)).toBe(8 * PAGES);
});

test("a client that sends more requests than may wait for their answers is cut off", async () => {
  await using gateway = await startGateway();
  fill(gateway);
  await using client = await rawConnection(gateway.url);
  client.socket.pause();
  client.send(queryOf(QUERY));
  await expect.poll(() => pages(gateway)).toBe(PAGES);
  client.send(queryOf("{ me { id } }").repeat(30));
  client.socket.resume();
  const received = await client.received.catch(() => "");
  expect(received.split("HTTP/1.1 200").length).toBeLessThan(20);
  await others(gateway, 1);
});

test("a user has sixteen unread answers on many connections, and those that wait are made when they are read", async () => {
  await using gateway = await startGateway({ ADMIN_PORT: "0" });
  fill(gateway);
  await using stack = new AsyncDisposableStack();
  const clients: RawConnection[] = [];
  for (let count = 0; count < 24; count++) {
    const client = stack.use(await rawConnection(gateway.url));
    client.socket.pause();
    client.send(queryOf(QUERY, "close"));
    clients.push(client);
  }
  await expect.poll(() => queries(gateway)).toBe(16);
  await others(gateway, 5);
  // Of the others.
  expect(await queries(gateway)).toBe(16 + 1);
  for (const { socket } of clients) socket.resume();
  const answers = await Promise.all(clients.map(({ received }) => received));
  expect(answers.filter((answer) => answer.startsWith("HTTP/1.1 200")).length).toBe(24);
});

test("an answer of which nothing is read is cut off", async () => {
  using server = watchServerSockets();
  await using gateway = await startGateway({ REQUEST_TIMEOUT: "1000" });
  fill(gateway);
  await using client = await rawConnection(gateway.url);
  client.socket.pause();
  client.send(queryOf(QUERY));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.of(client.socket).once("close", resolve);
  await promise;
  await others(gateway, 1);
});
