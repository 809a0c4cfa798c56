/** What clients send and do not read, at full size: the process holds little of it, and nothing when they have gone. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { DevApi } from "../../src/dev/api.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGatewayProcess, type GatewayProcess } from "../support/gateway-process.ts";
import { connectionObjects } from "../support/fuzz/leftovers.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { NPM_START_COMMAND } from "../support/process.ts";
import { openRaw, type RawSocket } from "../support/raw-socket.ts";

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;
const CONNECTIONS = 30;
const JUNK = "x".repeat(60_000);
const MEBIBYTE = 1_048_576;

const SUBSCRIPTION =
  "subscription ($chatId: ID, $after: String) { messageAdded(chatId: $chatId, after: $after) { id content } }";

/** Resident memory of the gateway's process. */
function rssBytes({ process }: GatewayProcess): number {
  const [, kibibytes = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${process.pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}

/** Large messages, so many. */
function fillShop({ data }: DevApi, count: number): void {
  for (let n = 0; n < count; n++) {
    data.addMessage({ chatId: shop, senderId: bob.id, content: `${n} ${"m".repeat(9900)}` });
  }
}

/** Resolves when everything that was sent before has been handled. */
async function handled(socket: RawSocket): Promise<void> {
  socket.send({ type: "ping", payload: { handled: true } });
  for (;;) if ((await socket.next()).type === "pong") return;
}

async function openJunky(gateway: GatewayProcess): Promise<RawSocket> {
  const socket = await openRaw(gateway.wsUrl);
  socket.send({ type: "connection_init", payload: { token: alice.token, junk: JUNK } });
  await socket.next();
  return socket;
}

test("junk in variables, extensions, ids and connectionParams is not kept", async () => {
  await using gateway = await startGatewayProcess({}, NPM_START_COMMAND);
  await using control = connect(gateway.wsUrl, bob.token);
  await using received = control.subscribe(MessageAddedDocument);
  await control.run(ChatsDocument);
  // Warm: code is compiled, and what is there once is there.
  await using warm = await openJunky(gateway);
  warm.send({ id: "warm", type: "subscribe", payload: { query: SUBSCRIPTION, extensions: { JUNK } } });
  await handled(warm);
  // A declared variable too: the operation is refused once the connection keeps too much.
  const payloads = [{ variables: { junk: JUNK } }, { extensions: { junk: JUNK } }, { variables: { chatId: JUNK } }];
  const frames = Array.from({ length: 24 }, (_, index) =>
    JSON.stringify({
      id: `${"i".repeat(100)}${index}`,
      type: "subscribe",
      payload: { query: SUBSCRIPTION, ...payloads[index % payloads.length] },
    }),
  );
  const before = rssBytes(gateway);
  await using sockets = new AsyncDisposableStack();
  let most = 0;
  for (let count = 0; count < CONNECTIONS; count++) {
    const socket = sockets.use(await openJunky(gateway));
    socket.send(...frames);
    await handled(socket);
    most = Math.max(most, rssBytes(gateway));
  }
  await control.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await received.next()).messageAdded.content).toBe("hello");
  expect((most - before) / MEBIBYTE).toBeLessThan(60);
});

test("a connection that has gone is not kept by what it has set going", async () => {
  await using gateway = await startGateway();
  const token = gateway.api.data.issueToken(alice.id);
  const before = connectionObjects();
  // The watch over the new token begins in this operation, and goes on with the other connection.
  const first = await openGraphQLSocket(gateway.wsUrl, alice.token);
  await first.run({ query: `mutation { refreshToken(token: "${token}") { id } }` });
  await using second = await openGraphQLSocket(gateway.wsUrl, token);
  await first[Symbol.asyncDispose]();
  await second.run({ query: "{ chats { id } }" });
  // To look is a collection of all garbage, and takes its time.
  await expect.poll(() => connectionObjects() - before, { interval: 500 }).toBeLessThanOrEqual(1);
});

test("of large results that nobody reads one is held, and the others are made again when there is room", async () => {
  await using gateway = await startGateway();
  const { faults } = gateway.api;
  fillShop(gateway.api, 60);
  await using control = connect(gateway.wsUrl, bob.token);
  await using received = control.subscribe(MessageAddedDocument);
  await control.run(ChatsDocument);
  await using reader = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const query = `{ chat(id: "${shop}") { messages(last: 60) { nodes { id content } } } }`;
  await reader.run({ query });
  reader.socket.pause();
  const asked = (): number => faults.requests.count({ method: "GET", path: `/chats/${shop}/messages` });
  const before = asked();
  const results = Array.from({ length: 40 }, () => reader.start({ query }));
  await expect.poll(asked).toBeGreaterThan(before);
  for (let count = 0; count < 10; count++) {
    await control.run(SendMessageDocument, { chatId: team, content: `message ${count}` });
    expect((await received.next()).messageAdded.content).toBe(`message ${count}`);
  }
  // The buffers of both sides take some.
  expect(asked() - before).toBeLessThan(25);
  reader.socket.resume();
  expect((await Promise.all(results.map((result) => result.next()))).length).toBe(40);
});

test("replays that nobody reads hold a part each of four, and read few pages again", async () => {
  await using gateway = await startGateway();
  const { faults } = gateway.api;
  fillShop(gateway.api, 300);
  await using control = connect(gateway.wsUrl, bob.token);
  await using received = control.subscribe(MessageAddedDocument, { chatId: team });
  await using reader = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const { chat } = (await reader.run({
    query: `{ chat(id: "${shop}") { messages(last: 300) { nodes { content cursor } } } }`,
  })) as { chat: { messages: { nodes: readonly { content: string; cursor: string }[] } } };
  const [first, ...others] = chat.messages.nodes;
  const after = first?.cursor;
  const pages = (): number => faults.requests.count({ method: "GET", path: `/chats/${shop}/messages` });
  const before = pages();
  reader.socket.pause();
  const replays = Array.from({ length: 60 }, () =>
    reader.start({ query: SUBSCRIPTION, variables: { chatId: shop, after } }),
  );
  await expect.poll(pages).toBeGreaterThan(before + 2);
  for (let count = 0; count < 10; count++) {
    await control.run(SendMessageDocument, { chatId: team, content: `message ${count}` });
    expect((await received.next()).messageAdded.content).toBe(`message ${count}`);
  }
  // Three pages a scan, which those that ask at the same time share. Sixty replays would be 180 and more.
  expect(pages() - before).toBeLessThan(40);
  reader.socket.resume();
  for (const replay of replays.slice(0, 3)) {
    const contents: string[] = [];
    while (contents.length < 299) {
      const { data: result } = JSON.parse(await replay.next()) as { data: { messageAdded: { content: string } } };
      contents.push(result.messageAdded.content);
    }
    expect(contents).toEqual(others.map(({ content }) => content));
  }
});

/** Opens connections whose clients ask for the whole history again and again, and read nothing of it. */
async function replayUnread(gateway: GatewayProcess, after: string, sockets: AsyncDisposableStack): Promise<void> {
  for (let count = 0; count < CONNECTIONS; count++) {
    const client = sockets.use(await openGraphQLSocket(gateway.wsUrl, alice.token));
    client.socket.pause();
    // Four of them hold something, the others wait.
    for (let replay = 0; replay < 20; replay++)
      client.start({ query: SUBSCRIPTION, variables: { chatId: shop, after } });
  }
}

test("unread replays on thirty connections take little memory, and give it back", { timeout: 180_000 }, async () => {
  // Where there is plenty of memory V8 leaves garbage of a hundred megabytes and more lying about.
  await using gateway = await startGatewayProcess({
    NODE_OPTIONS: "--max-semi-space-size=2 --max-old-space-size=80",
  });
  const { faults } = gateway.api;
  fillShop(gateway.api, 300);
  await using control = connect(gateway.wsUrl, bob.token);
  await using received = control.subscribe(MessageAddedDocument, { chatId: team });
  await using reader = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const { chat } = (await reader.run({
    query: `{ chat(id: "${shop}") { messages(last: 300) { nodes { cursor } } } }`,
  })) as { chat: { messages: { nodes: readonly { cursor: string }[] } } };
  const after = chat.messages.nodes[0]?.cursor ?? "";
  const pages = (): number => faults.requests.count({ method: "GET", path: `/chats/${shop}/messages` });
  let sent = 0;
  /** The most that it takes until nothing more is read of the history while others get ten messages. */
  async function mostOf(): Promise<number> {
    let [most, read, quiet] = [0, -1, 0];
    while (quiet < 10) {
      const content = `message ${sent++}`;
      await control.run(SendMessageDocument, { chatId: team, content });
      expect((await received.next()).messageAdded.content).toBe(content);
      most = Math.max(most, rssBytes(gateway));
      quiet = pages() === read ? quiet + 1 : 0;
      read = pages();
    }
    return most;
  }
  const before = rssBytes(gateway);
  const growth: number[] = [];
  const asked: number[] = [];
  // What the first ones give back is there for the next.
  for (let round = 0; round < 2; round++) {
    await using sockets = new AsyncDisposableStack();
    const pagesBefore = pages();
    await replayUnread(gateway, after, sockets);
    growth.push(((await mostOf()) - before) / MEBIBYTE);
    asked.push(pages() - pagesBefore);
  }
  expect(growth.filter((mebibytes) => mebibytes >= 60)).toEqual([]);
  // Without the pages that are kept for a moment there are about two hundred requests.
  expect(asked.filter((count) => count >= 150)).toEqual([]);
});
