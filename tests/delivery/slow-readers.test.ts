/** A reader that does not keep up costs bounded memory, delays nobody, and is caught up when it reads again. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { connect, type TestClient } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { openGraphQLSocket, type GraphQLSocket, type RawResults } from "../support/graphql-socket.ts";
import { watchServerSockets } from "../support/server-sockets.ts";
import { MarkReadDocument, SendMessageDocument, SetTypingDocument } from "../support/generated/graphql.ts";
import { overHttp } from "../support/runner.ts";
import { openSippingSocket } from "../support/sipping-socket.ts";

const BUDGET_BYTES = 16_384;
/** The largest message of these tests, and what is around it. */
const MAX_EVENT_BYTES = 120_000;

const MESSAGES = "subscription ($chatId: ID) { messageAdded(chatId: $chatId) { id chatId content } }";
const RECEIPTS = "subscription ($chatId: ID) { readReceipt(chatId: $chatId) { chatId messageId } }";
const TYPING = "subscription { typingChanged { chatId user { name } isTyping } }";
const PRESENCE = "subscription { presenceChanged { user { name } online } }";

/** No compression makes much less of it. */
const NOISE = randomBytes(80_000).toString("base64");

interface Scene extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly chatId: string;
  /** Alice's. */
  readonly sender: TestClient;
  /** Bob's, and so is every slow reader: both are to get the same. */
  readonly control: GraphQLSocket;
  readonly controlled: RawResults;
  open(): Promise<GraphQLSocket>;
  /** The server's end of a connection. */
  server(client: Socket): Socket;
  /** Sends a numbered message of so many bytes, and resolves when the control client has it. */
  send(contentBytes?: number, chatId?: string): Promise<string>;
  /** Carol reads a message. */
  read(messageId: string): Promise<void>;
  /** Sends until the reader's socket takes nothing any more. */
  fill(client: Socket): Promise<void>;
}

async function createScene(environment: Readonly<Record<string, string>> = {}): Promise<Scene> {
  await using starting = new AsyncDisposableStack();
  const servers = starting.use(watchServerSockets());
  const gateway = starting.use(
    await startGateway({
      MAX_SEND_BUFFER: String(BUDGET_BYTES),
      MAX_MESSAGE_SIZE: "200000",
      MAX_PAYLOAD_SIZE: "1000000",
      TYPING_TIMEOUT: "600000",
      PRESENCE_GRACE: "0",
      HEARTBEAT_INTERVAL: "600000",
      ...environment,
    }),
  );
  const [alice, bob, carol] = gateway.api.users;
  const sender = starting.use(connect(gateway.wsUrl, alice?.token));
  const reader = starting.use(overHttp(gateway.url, carol?.token));
  await sender.acknowledged;
  const open = (): Promise<GraphQLSocket> => openGraphQLSocket(gateway.wsUrl, bob?.token);
  const control = starting.use(await open());
  const controlled = control.start({ query: MESSAGES });
  await stand(control);
  let sent = 0;
  const running = starting.move();
  const scene: Scene = {
    gateway,
    chatId: gateway.api.demoChatId,
    sender,
    control,
    controlled,
    open,
    server: (client) => servers.of(client),
    async send(contentBytes = 8000, chatId = scene.chatId) {
      const content = `${++sent} ${NOISE.slice(0, contentBytes)}`;
      const [{ sendMessage }, payload] = await Promise.all([
        sender.run(SendMessageDocument, { chatId, content }),
        controlled.next(),
      ]);
      expect(messageOf(payload).content).toBe(content);
      return sendMessage.id;
    },
    async read(messageId) {
      await reader.run(MarkReadDocument, { chatId: scene.chatId, messageId });
    },
    async fill(client) {
      const server = servers.of(client);
      // The operating systems' buffers on both sides are full when nothing was taken several times in a row.
      for (let count = 0, stuck = 0; stuck < 5; count++) {
        const before = server.bytesWritten;
        await scene.send(100_000);
        stuck = server.bytesWritten === before ? stuck + 1 : 0;
        expect(server.writableLength).toBeLessThan(BUDGET_BYTES + MAX_EVENT_BYTES);
        expect(count, "messages that fill the buffers").toBeLessThan(1000);
      }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
  return scene;
}

/** Resolves when the subscriptions that a client has begun stand. */
async function stand(client: GraphQLSocket): Promise<void> {
  await client.run({ query: "{ chats { id } }" });
}

function messageOf(payload: string): { readonly id: string; readonly chatId: string; readonly content: string } {
  const { data } = JSON.parse(payload) as { data: { messageAdded: { id: string; chatId: string; content: string } } };
  return data.messageAdded;
}

/** The numbers of messages. */
function numbers(payloads: readonly string[]): readonly number[] {
  return payloads.map((payload) => Number.parseInt(messageOf(payload).content, 10));
}

/** Takes from `results` until it has received what `last` is. */
async function takeUntil(results: RawResults, last: string): Promise<readonly string[]> {
  while (!results.all.includes(last)) await results.next();
  return results.all;
}

describe.each([
  ["without compression", "false"],
  ["with compression", "true"],
])("a reader that pauses and comes back, %s,", (_how, COMPRESSION) => {
  test.each([
    ["one chat", true],
    ["all chats", false],
  ])("has missed nothing of %s, in order and once, while others have waited for nothing", async (_of, isOne) => {
    await using scene = await createScene({ COMPRESSION });
    const { chatId, control, controlled } = scene;
    const variables = isOne ? { chatId } : {};
    await using slow = await scene.open();
    expect(slow.socket.extensions.includes("permessage-deflate")).toBe(COMPRESSION === "true");
    const received = slow.start({ query: MESSAGES, variables });
    const receipts = slow.start({ query: RECEIPTS, variables });
    const controlledReceipts = control.start({ query: RECEIPTS, variables });
    for (const client of [slow, control]) await stand(client);
    await scene.send();
    slow.socket.pause();
    await scene.fill(slow.transport);
    const server = scene.server(slow.transport);
    const written = server.bytesWritten;
    for (let count = 0; count < 300; count++) {
      const messageId = await scene.send(4000);
      if (count % 10 === 0) await scene.read(messageId);
    }
    expect(server.bytesWritten, "it gets nothing while it does not read").toBe(written);
    expect(server.writableLength).toBeLessThan(BUDGET_BYTES + MAX_EVENT_BYTES);
    slow.socket.resume();
    // More comes while it catches up.
    for (let count = 0; count < 50; count++) await scene.send(2000);
    await scene.read(await scene.send());
    const all = await takeUntil(received, controlled.all.at(-1) ?? "");
    expect(numbers(all)).toEqual(numbers(controlled.all));
    expect(all).toEqual(controlled.all);
    for (let count = 0; count < 31; count++) expect(await receipts.next()).toBe(await controlledReceipts.next());
    await scene.send(10);
    expect(await takeUntil(received, controlled.all.at(-1) ?? "")).toEqual(controlled.all);
    await stand(slow);
    expect(receipts.all).toEqual(controlledReceipts.all);
    expect(receipts.all).toHaveLength(31);
  });
});

test("a reader that takes a few bytes at a time gets everything, in order and once", async () => {
  await using scene = await createScene();
  await using slow = await openSippingSocket(scene.gateway.wsUrl, scene.gateway.api.users[1]?.token, 251);
  const received = slow.conversation.start({ query: MESSAGES });
  await slow.conversation.run({ query: "{ chats { id } }" });
  const { chatId, sender, controlled } = scene;
  const server = scene.server(slow.transport);
  let mostWaiting = 0;
  // Until it lags, and then on: it reads all the time, and gets what it has missed while more comes.
  for (let count = 0; mostWaiting <= BUDGET_BYTES; count++) {
    expect(count, "messages that it could be given").toBeLessThan(500);
    await scene.send(50_000);
    mostWaiting = server.writableLength;
  }
  for (let count = 0; count < 100; count++) {
    await scene.send(10_000);
    mostWaiting = Math.max(mostWaiting, server.writableLength);
  }
  await sender.run(SendMessageDocument, { chatId, content: "last" });
  await controlled.next();
  const all = await takeUntil(received, controlled.all.at(-1) ?? "");
  expect(all).toEqual(controlled.all);
  expect(mostWaiting).toBeLessThan(BUDGET_BYTES + MAX_EVENT_BYTES);
});

test("a reader that lags by little more than its budget is caught up as well", async () => {
  await using scene = await createScene();
  await using slow = await scene.open();
  const received = slow.start({ query: MESSAGES });
  await stand(slow);
  const server = scene.server(slow.transport);
  slow.socket.pause();
  // Until the operating systems' buffers are full, and then byte by byte over the budget, which is less than what a stream
  // would call much.
  while (server.writableLength === 0) await scene.send(10_000);
  while (server.writableLength <= BUDGET_BYTES) await scene.send(1000);
  await scene.send(1000);
  expect(server.writableLength).toBeLessThan(BUDGET_BYTES + 11_000);
  slow.socket.resume();
  const all = await takeUntil(received, scene.controlled.all.at(-1) ?? "");
  expect(all).toEqual(scene.controlled.all);
});

test("a reader that never comes back is dropped by the heartbeat, and holds little until then", async () => {
  await using scene = await createScene({ HEARTBEAT_INTERVAL: "1000" });
  await using slow = await scene.open();
  slow.start({ query: MESSAGES });
  await stand(slow);
  const server = scene.server(slow.transport);
  const dropped = once(server, "close");
  slow.socket.pause();
  let mostWaiting = 0;
  while (!server.destroyed) {
    await scene.send(100_000);
    mostWaiting = Math.max(mostWaiting, server.writableLength);
  }
  await dropped;
  expect(mostWaiting).toBeLessThan(BUDGET_BYTES + MAX_EVENT_BYTES);
  // Who reads answers its pings, and goes on.
  await scene.send();
  await stand(scene.control);
});

test("typing and presence are told by their latest state", async () => {
  await using scene = await createScene();
  const { gateway, chatId } = scene;
  await using slow = await scene.open();
  const [messages, typing, presence] = [MESSAGES, TYPING, PRESENCE].map((query) => slow.start({ query }));
  await stand(slow);
  const heardBefore = presence?.all.length;
  const watcher = scene.control.start({ query: PRESENCE });
  const typists = scene.control.start({ query: TYPING });
  const isTyping = JSON.stringify({
    data: { typingChanged: { chatId, user: { name: "Alice Adams" }, isTyping: true } },
  });
  const carolIs = (online: boolean): string =>
    JSON.stringify({ data: { presenceChanged: { user: { name: "Carol Clark" }, online } } });
  await stand(scene.control);
  slow.socket.pause();
  await scene.fill(slow.transport);
  for (let count = 0; count < 5; count++) {
    await scene.sender.run(SetTypingDocument, { chatId, isTyping: true });
    await scene.sender.run(SetTypingDocument, { chatId, isTyping: false });
    await using carol = connect(gateway.wsUrl, gateway.api.users[2]?.token);
    await carol.acknowledged;
    while ((await watcher.next()) !== carolIs(true));
    await carol[Symbol.asyncDispose]();
    while ((await watcher.next()) !== carolIs(false));
  }
  await scene.sender.run(SetTypingDocument, { chatId, isTyping: true });
  // Who changes often is published a little later.
  while (typists.all.at(-1) !== isTyping) await typists.next();
  await using back = connect(gateway.wsUrl, gateway.api.users[2]?.token);
  await back.acknowledged;
  while ((await watcher.next()) !== carolIs(true));
  slow.socket.resume();
  await takeUntil(messages as RawResults, scene.controlled.all.at(-1) ?? "");
  await stand(slow);
  expect(typing?.all).toEqual([isTyping]);
  expect(presence?.all.slice(heardBefore)).toEqual([carolIs(true)]);
});

test("a flood of receipts costs a slow reader no message, and the newest of them arrive", async () => {
  await using scene = await createScene();
  const { gateway, chatId, sender } = scene;
  const [alice, bob] = gateway.api.users;
  const other = gateway.api.data.createChat({ participants: [alice?.id ?? "", bob?.id ?? ""] }).id;
  await using slow = await scene.open();
  const messages = slow.start({ query: MESSAGES, variables: { chatId } });
  const receipts = slow.start({ query: RECEIPTS, variables: { chatId } });
  const beside = slow.start({ query: MESSAGES, variables: { chatId: other } });
  const typing = slow.start({ query: TYPING });
  await stand(slow);
  slow.socket.pause();
  await scene.fill(slow.transport);
  const late = await scene.send(10, other);
  const messageId = await scene.send(10);
  const history = gateway.api.faults.requests.count({ method: "GET", path: `/chats/${chatId}/messages` });
  for (let sent = 0; sent < 120; sent++) await scene.read(messageId);
  const newest = await scene.send(10);
  await scene.read(newest);
  await sender.run(SetTypingDocument, { chatId, isTyping: true });
  slow.socket.resume();
  let taken = 0;
  for (let last: unknown; last !== newest; taken++) {
    last = (JSON.parse(await receipts.next()) as { data: { readReceipt: { messageId: string } } }).data.readReceipt
      .messageId;
  }
  expect(taken).toBe(50);
  const inChat = scene.controlled.all.filter((payload) => messageOf(payload).chatId === chatId);
  expect(await takeUntil(messages, inChat.at(-1) ?? "")).toEqual(inChat);
  expect(messageOf(await beside.next()).id).toBe(late);
  expect(JSON.parse(await typing.next())).toMatchObject({ data: { typingChanged: { chatId, isTyping: true } } });
  await scene.send(10, other);
  expect(await beside.next()).toBe(scene.controlled.all.at(-1));
  expect(gateway.api.faults.requests.count({ method: "GET", path: `/chats/${chatId}/messages` })).toBe(history);
});

test("a member who is removed while lagging gets nothing of that chat afterwards", async () => {
  await using scene = await createScene();
  const { gateway, sender, chatId } = scene;
  const [alice, bob, carol] = gateway.api.users;
  const other = gateway.api.data.createChat({ participants: [alice?.id ?? "", bob?.id ?? "", carol?.id ?? ""] }).id;
  await using slow = await scene.open();
  const toAll = slow.start({ query: MESSAGES });
  const toOne = slow.start({ query: MESSAGES, variables: { chatId } });
  const receipts = slow.start({ query: RECEIPTS });
  const typing = slow.start({ query: TYPING });
  await stand(slow);
  slow.socket.pause();
  await scene.fill(slow.transport);
  const last = scene.controlled.all.length;
  const messageId = await scene.send();
  for (let count = 0; count < 20; count++) await scene.send(100, count % 2 ? chatId : other);
  await scene.read(messageId);
  await sender.run(SetTypingDocument, { chatId, isTyping: true });
  await sender.run(SetTypingDocument, { chatId: other, isTyping: true });
  const inOther = scene.controlled.all.slice(last).filter((payload) => messageOf(payload).chatId === other);
  gateway.api.data.removeMember(chatId, bob?.id ?? "");
  await sender.run(SendMessageDocument, { chatId, content: "for who is left" });
  // The gateway learns of it by whoever asks.
  await scene.control.run({ query: "{ chats { id } }" });
  slow.socket.resume();
  expect(await toOne.ended).toMatchObject([{ extensions: { code: "NOT_PARTICIPANT" } }]);
  await sender.run(SendMessageDocument, { chatId: other, content: "99999 barrier" });
  while (!toAll.all.some((payload) => payload.includes("99999 barrier"))) await toAll.next();
  await stand(slow);
  const afterwards = toAll.all.filter((payload) => (numbers([payload])[0] ?? 0) > last);
  expect(afterwards.slice(0, -1)).toEqual(inOther);
  expect(numbers(toOne.all).every((number) => number <= last)).toBe(true);
  expect(receipts.all).toEqual([]);
  expect(typing.all.map((payload) => payload.includes(other))).toEqual([true, true]);
});
