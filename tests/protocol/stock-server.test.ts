/** What a client's frames bring about here and on a stock graphql-ws server: subscriptions do not go through graphql-ws here. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { startGateway } from "../support/gateway.ts";
import { openAcknowledged, openRaw, type RawSocket } from "../support/raw-socket.ts";

const [alice] = DEMO_USERS;

const SCHEMA = buildSchema(`
  type Query { me: Me! }
  type Me { id: ID! }
  type Subscription { messageAdded: Message! readReceipt: ReadReceipt! }
  type Message { id: ID! }
  type ReadReceipt { chatId: ID! }
`);

/** A source without events. */
async function* silence(): AsyncGenerator<never> {
  yield* [];
  await new Promise(() => undefined);
}

const servers = new AsyncDisposableStack();
let urls: { readonly gateway: string; readonly stock: string };

beforeAll(async () => {
  const gateway = servers.use(await startGateway());
  const stock = servers.adopt(new WebSocketServer({ port: 0, host: "127.0.0.1" }), (server) => server.close());
  await once(stock, "listening");
  const roots = { query: { me: { id: "1" } }, subscription: { messageAdded: silence, readReceipt: silence } };
  useServer({ schema: SCHEMA, roots }, stock);
  urls = { gateway: gateway.wsUrl, stock: `ws://127.0.0.1:${(stock.address() as AddressInfo).port}` };
});

afterAll(() => servers.disposeAsync());

const start = (id: unknown, query: string, others: object = {}): object => ({
  id,
  type: "subscribe",
  payload: { query, ...others },
});
const complete = (id: unknown): object => ({ id, type: "complete" });

const MESSAGES = "subscription { messageAdded { id } }";
const RECEIPTS = "subscription { readReceipt { chatId } }";
const ME = "{ me { id } }";
const BOTH = `subscription Messages { messageAdded { id } } subscription Receipts { readReceipt { chatId } }`;

/** Types and ids of the answers up to a pong, or the code with which the socket was closed. */
async function answersOf(socket: RawSocket, frames: readonly object[]): Promise<readonly unknown[]> {
  socket.send(...frames, { type: "ping" });
  const answers: unknown[] = [];
  const closed = socket.closed.then(({ code }) => ({ code }));
  for (;;) {
    const answer = await Promise.race([socket.next(), closed]);
    if ("code" in answer) return [...answers, answer];
    const { type, id } = answer as { readonly type: string; readonly id?: string };
    if (type === "pong") return answers;
    if (type !== "ping") answers.push([type, id]);
  }
}

test.each<[what: string, frames: readonly object[]]>([
  ["a subscription", [start("1", MESSAGES)]],
  ["several of them", [start("1", MESSAGES), start("2", RECEIPTS), start("3", MESSAGES)]],
  ["a subscription that is completed", [start("1", MESSAGES), complete("1")]],
  ["one that is completed twice", [start("1", MESSAGES), complete("1"), complete("1")]],
  ["what never began is completed", [complete("1")]],
  ["an id in use", [start("1", MESSAGES), start("1", RECEIPTS)]],
  ["an id in use, for a query", [start("1", MESSAGES), start("1", ME)]],
  ["an id that is free again", [start("1", MESSAGES), complete("1"), start("1", RECEIPTS), complete("1")]],
  ["an id that is free again, twice", [start("1", MESSAGES), complete("1"), start("1", ME), start("1", MESSAGES)]],
  ["an unknown field", [start("1", "subscription { nothing { id } }"), start("1", MESSAGES)]],
  ["two operations without a name", [start("1", BOTH)]],
  ["two operations and a name that none has", [start("1", BOTH, { operationName: "Others" })]],
  ["one of two operations", [start("1", BOTH, { operationName: "Receipts" }), complete("1")]],
  ["no document", [start("1", MESSAGES), { id: "2", type: "subscribe", payload: {} }]],
  ["no payload", [start("1", MESSAGES), { id: "2", type: "subscribe" }]],
  ["variables that are none", [start("1", MESSAGES, { variables: "none" })]],
  ["an empty id", [start("", MESSAGES)]],
  ["an id that is no text", [start(1, MESSAGES)]],
  ["no id", [start(undefined, MESSAGES)]],
  ["ids of Object.prototype", [start("__proto__", MESSAGES), start("constructor", RECEIPTS), complete("__proto__")]],
  ["a second connection_init", [start("1", MESSAGES), { type: "connection_init" }]],
])("%s", async (_what, frames) => {
  await using here = await openAcknowledged(urls.gateway, alice.token);
  await using there = await openAcknowledged(urls.stock, alice.token);
  expect(await answersOf(here, frames)).toEqual(await answersOf(there, frames));
});

test("a query beside a subscription", async () => {
  const frames = [start("1", MESSAGES), start("2", ME)];
  for (const url of Object.values(urls)) {
    await using socket = await openAcknowledged(url, alice.token);
    socket.send(...frames);
    expect([await socket.next(), await socket.next()]).toMatchObject([
      { type: "next", id: "2" },
      { type: "complete", id: "2" },
    ]);
  }
});

test("a subscription before connection_init", async () => {
  await using here = await openRaw(urls.gateway);
  await using there = await openRaw(urls.stock);
  expect(await answersOf(here, [start("1", MESSAGES)])).toEqual(await answersOf(there, [start("1", MESSAGES)]));
});
