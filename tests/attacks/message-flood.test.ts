/** More messages on one connection than an ordinary client sends: they cost who sends them, and nobody else. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { startBystanders } from "../support/bystanders.ts";
import { clientFrame, Opcode } from "../support/client-frames.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { scrape } from "../support/metrics.ts";
import { openAcknowledged } from "../support/raw-socket.ts";
import { rawConnection, rawUpgrade } from "../support/tcp.ts";

const [alice, bob] = DEMO_USERS;

/** A connection may send 90 messages in a second. */
const LIMITED = { RATE_LIMIT_OPERATIONS: "30/1s" };
const FLOOD = 5000;

const PING = { type: "ping" };
const SUBSCRIBE = { id: "1", type: "subscribe", payload: { query: "subscription { messageAdded { id } }" } };

describe("a connection is closed with 4429 that goes on with", () => {
  test.each<[what: string, messages: readonly object[]]>([
    ["pings", [PING]],
    ["pongs", [{ type: "pong" }]],
    ["the completion of what does not run", [{ id: "unknown", type: "complete" }]],
    ["subscriptions that it completes at once", [SUBSCRIBE, { id: "1", type: "complete" }]],
    [
      "wrong operations",
      [
        { ...SUBSCRIBE, payload: { query: "{ nothing }" } },
        { id: "1", type: "complete" },
      ],
    ],
  ])("%s", async (_what, messages) => {
    await using gateway = await startGateway({ ...LIMITED, ADMIN_PORT: "0" });
    await using control = connect(gateway.wsUrl, bob.token);
    await using received = control.subscribe(MessageAddedDocument);
    await control.run(ChatsDocument);
    await using flooder = await openAcknowledged(gateway.wsUrl, alice.token);
    const before = gateway.api.faults.requests.count({ token: alice.token });
    for (let count = 0; count < FLOOD; count++) flooder.send(...messages);
    for (let count = 0; count < 5; count++) {
      await control.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: `message ${count}` });
      expect((await received.next()).messageAdded.content).toBe(`message ${count}`);
    }
    expect(await flooder.closed).toMatchObject({ code: 4429 });
    const metrics = await scrape(gateway.adminUrl ?? "");
    expect(metrics.value("chat_gateway_rate_limited_total", { limit: "connection" })).toBe(1);
    await control.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "afterwards" });
    expect((await received.next()).messageAdded.content).toBe("afterwards");
    expect(gateway.api.faults.requests.count({ token: alice.token }) - before).toBeLessThan(20);
    expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  test.each([
    ["ping frames", Opcode.ping],
    ["pong frames", Opcode.pong],
  ])("%s, and few of them are answered", async (_what, opcode) => {
    await using gateway = await startGateway(LIMITED);
    await using others = await startBystanders(gateway.wsUrl);
    await using flooder = await rawConnection(gateway.url);
    flooder.send(rawUpgrade());
    await once(flooder.socket, "data");
    let bytes = "";
    const closing = Promise.withResolvers<void>();
    flooder.socket.on("data", (text: string) => {
      bytes += text;
      if (bytes.includes("Too many messages")) closing.resolve();
    });
    flooder.socket.on("error", () => undefined);
    flooder.socket.write(Buffer.concat(Array.from({ length: FLOOD }, () => clientFrame("x", { opcode }))));
    await closing.promise;
    // Each answer has three bytes.
    expect(bytes.length).toBeLessThan(300);
    expect(await others.talk(3)).toEqual(others.sent);
  });
});

test("a client that sends more than it may for a moment is slowed, and everything is answered", async () => {
  await using gateway = await startGateway(LIMITED);
  await using socket = await openAcknowledged(gateway.wsUrl, alice.token);
  const indexes = Array.from({ length: 140 }, (_, index) => index);
  for (const index of indexes) socket.send({ type: "ping", payload: { index } });
  const answers: unknown[] = [];
  while (answers.length < indexes.length) answers.push((await socket.next()).payload);
  expect(answers).toEqual(indexes.map((index) => ({ index })));
});

test("answers to the gateway's own pings are not charged", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "1/10m", HEARTBEAT_INTERVAL: "50" });
  await using control = connect(gateway.wsUrl, bob.token);
  await using reader = await openAcknowledged(gateway.wsUrl, alice.token);
  let pings = 0;
  reader.socket.on("ping", () => pings++);
  await expect.poll(() => pings).toBeGreaterThan(20);
  // Three messages in ten minutes, and these are the first two.
  reader.send(PING, PING);
  expect([(await reader.next()).type, (await reader.next()).type]).toEqual(["pong", "pong"]);
  await control.acknowledged;
});

test("a page that opens 100 chats at once is not slowed by the defaults", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "300/10s" });
  const chats = Array.from({ length: 100 }, () => gateway.api.data.createChat({ participants: [alice.id, bob.id] }).id);
  await using page = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const subscriptions = chats.map((id) =>
    page.start({ query: "subscription ($id: ID) { messageAdded(chatId: $id) { content } }", variables: { id } }),
  );
  const answers = chats.map(async (id) =>
    page.run({ query: "query ($id: ID!) { chat(id: $id) { id } }", variables: { id } }),
  );
  expect(await Promise.all(answers)).toEqual(chats.map((id) => ({ chat: { id } })));
  await using sender = connect(gateway.wsUrl, bob.token);
  for (const id of [chats[0], chats[99]]) await sender.run(SendMessageDocument, { chatId: id ?? "", content: "hello" });
  for (const subscription of [subscriptions[0], subscriptions[99]]) {
    expect(await subscription?.next()).toContain("hello");
  }
});
