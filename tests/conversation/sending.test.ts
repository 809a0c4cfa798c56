import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { errorIn, refusal } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { overHttp, runnerOver, TRANSPORTS } from "../support/runner.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

describe.each(TRANSPORTS)("over %s", (transport) => {
  test("a message is stored without the space around it and answered as it was stored", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const { sendMessage } = await client.run(SendMessageDocument, { chatId: shop, content: "  two\n words \n" });
    expect(sendMessage).toMatchObject({
      chatId: shop,
      content: "two\n words",
      sender: { id: alice.id, name: alice.name },
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      readAt: null,
      clientMessageId: null,
    });
    expect(gateway.api.data.messages(shop).at(-1)).toMatchObject({ id: sendMessage.id, content: "two\n words" });
  });

  test.each([
    ["nothing", ""],
    ["nothing but space", " \t\n\u00a0\u2003 "],
    ["one byte too many, in characters of several bytes", `${"é".repeat(10)}x`],
    ["too many bytes though most are space", `x${" ".repeat(20)}`],
  ])("a message of %s is refused before the API is asked", async (_what, content) => {
    await using gateway = await startGateway({ MAX_MESSAGE_SIZE: "20" });
    await using client = runnerOver(transport, gateway, alice.token);
    const error = await refusal(client.run(SendMessageDocument, { chatId: shop, content }));
    expect(error).toEqual({ code: "BAD_USER_INPUT", argument: "content" });
    expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(0);
    const { sendMessage } = await client.run(SendMessageDocument, { chatId: shop, content: "é".repeat(10) });
    expect(sendMessage.content).toBe("é".repeat(10));
  });

  test.each([
    ["of others", shop, "NOT_PARTICIPANT"],
    ["that does not exist", "no-such-chat", "NOT_FOUND"],
  ])("a message to a chat %s is refused", async (_which, chatId, code) => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, carol.token);
    expect(await refusal(client.run(SendMessageDocument, { chatId, content: "hello?" }))).toEqual({ code });
    expect(await client.run(SendMessageDocument, { chatId: team, content: "hello" })).toMatchObject({
      sendMessage: { chatId: team },
    });
  });

  test("what the API says against a message is what the client reads", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    using _ = gateway.api.faults.answer({ status: 400, body: { message: "No links, please." } }, { method: "POST" });
    expect(await errorIn(client.run(SendMessageDocument, { chatId: shop, content: "http://x" }))).toMatchObject({
      message: "No links, please.",
      extensions: { code: "BAD_USER_INPUT", argument: "content" },
    });
  });

  test("the Idempotency-Key is the clientMessageId, or one made up for this message alone", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const clientMessageId = `!~${randomUUID()}`;
    await client.run(SendMessageDocument, { chatId: shop, content: "one", clientMessageId });
    await client.run(SendMessageDocument, { chatId: shop, content: "two" });
    await client.run(SendMessageDocument, { chatId: shop, content: "three" });
    const keys = gateway.api.faults.requests.filter({ method: "POST" }).map(({ idempotencyKey }) => idempotencyKey);
    expect(keys).toEqual([clientMessageId, expect.stringMatching(/^.{20,}$/), expect.stringMatching(/^.{20,}$/)]);
    expect(keys[1]).not.toBe(keys[2]);
  });

  test.each([
    ["empty", ""],
    ["with a space in it", "my message"],
    ["not ASCII", "nachricht-für-bob"],
    ["with a control character", "id\u0007"],
    ["too long", "x".repeat(129)],
  ])("a clientMessageId that is %s is refused", async (_what, clientMessageId) => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const error = await refusal(client.run(SendMessageDocument, { chatId: shop, content: "hello", clientMessageId }));
    expect(error).toEqual({ code: "BAD_USER_INPUT", argument: "clientMessageId" });
    expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(0);
  });

  test("the same clientMessageId gives back the same message, delivered once", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    await using reader = connect(gateway.wsUrl, bob.token);
    await using received = reader.subscribe(MessageAddedDocument);
    await reader.run(ChatsDocument);
    const variables = { chatId: shop, content: "hello", clientMessageId: "x".repeat(128) };
    const first = await client.run(SendMessageDocument, variables);
    expect(await client.run(SendMessageDocument, variables)).toEqual(first);
    expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(1);
    await client.run(SendMessageDocument, { chatId: shop, content: "barrier" });
    expect((await received.next()).messageAdded).toEqual(first.sendMessage);
    expect((await received.next()).messageAdded).toMatchObject({ content: "barrier" });
  });

  test("a clientMessageId used for a message in another chat is refused", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    await client.run(SendMessageDocument, { chatId: shop, content: "hello", clientMessageId: "c-1" });
    const error = await refusal(
      client.run(SendMessageDocument, { chatId: team, content: "hello", clientMessageId: "c-1" }),
    );
    expect(error).toEqual({ code: "BAD_USER_INPUT", argument: "clientMessageId" });
    expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(1);
  });

  test("after a failure the same clientMessageId tries again, and is delivered once", async () => {
    await using gateway = await startGateway({ HTTP_API_RETRIES: "2" });
    await using client = runnerOver(transport, gateway, alice.token);
    await using reader = connect(gateway.wsUrl, bob.token);
    await using received = reader.subscribe(MessageAddedDocument, { chatId: shop });
    await reader.run(ChatsDocument);
    const variables = { chatId: shop, content: "hello", clientMessageId: "c-1" };
    using _ = gateway.api.faults.unavailable({ method: "POST", times: 2 });
    expect(await refusal(client.run(SendMessageDocument, variables))).toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    const { sendMessage } = await client.run(SendMessageDocument, variables);
    await client.run(SendMessageDocument, { chatId: shop, content: "barrier" });
    expect((await received.next()).messageAdded).toEqual(sendMessage);
    expect((await received.next()).messageAdded).toMatchObject({ content: "barrier" });
    const keys = gateway.api.faults.requests.filter({ method: "POST" }).map(({ idempotencyKey }) => idempotencyKey);
    expect(keys.slice(0, 3)).toEqual(["c-1", "c-1", "c-1"]);
  });

  test.each([
    ["the gateway repeats it where the API allows that", "true", []],
    ["the client repeats it where the gateway may not", "false", ["UPSTREAM_UNAVAILABLE"]],
  ])("after a lost answer %s: one message, one delivery", async (_who, idempotent, failures) => {
    await using gateway = await startGateway({ HTTP_API_IDEMPOTENT: idempotent });
    await using client = runnerOver(transport, gateway, alice.token);
    await using reader = connect(gateway.wsUrl, bob.token);
    await using received = reader.subscribe(MessageAddedDocument, { chatId: shop });
    await reader.run(ChatsDocument);
    using _ = gateway.api.faults.loseResponse({ method: "POST", times: 1 });
    const variables = { chatId: shop, content: "hello", clientMessageId: "c-1" };
    for (const code of failures) {
      expect(await refusal(client.run(SendMessageDocument, variables))).toMatchObject({ code });
    }
    const { sendMessage } = await client.run(SendMessageDocument, variables);
    expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(2);
    await client.run(SendMessageDocument, { chatId: shop, content: "barrier" });
    expect((await received.next()).messageAdded).toEqual(sendMessage);
    expect((await received.next()).messageAdded).toMatchObject({ content: "barrier" });
    const stored = gateway.api.data.messages(shop).filter(({ content }) => content === "hello");
    expect(stored.map(({ id }) => id)).toEqual([sendMessage.id]);
  });
});

test("equal sends at the same time, on two connections and over HTTP, are one message and one delivery", async () => {
  await using gateway = await startGateway();
  await using one = connect(gateway.wsUrl, alice.token);
  await using two = connect(gateway.wsUrl, gateway.api.data.issueToken(alice.id));
  await using three = overHttp(gateway.url, alice.token);
  await using reader = connect(gateway.wsUrl, bob.token);
  await using received = reader.subscribe(MessageAddedDocument, { chatId: shop });
  await reader.run(ChatsDocument);
  await Promise.all([one.acknowledged, two.acknowledged]);
  using gate = gateway.api.faults.hold({ method: "POST" });
  const variables = { chatId: shop, content: "hello", clientMessageId: "c-1" };
  const sends = [one, one, two, three, three].map((client) => client.run(SendMessageDocument, variables));
  await gate.arrived();
  // Every connection has been heard by the time it has answered something else; HTTP's are later ones in any case.
  await Promise.all([one, two, three].map((client) => client.run(ChatsDocument)));
  gate.release();
  const ids = (await Promise.all(sends)).map(({ sendMessage }) => sendMessage.id);
  expect(new Set(ids).size).toBe(1);
  expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(1);
  await one.run(SendMessageDocument, { chatId: shop, content: "barrier" });
  expect((await received.next()).messageAdded.id).toBe(ids[0]);
  expect((await received.next()).messageAdded.content).toBe("barrier");
});

test("of equal sends at the same time that fail, all fail, and the next one is tried again", async () => {
  await using gateway = await startGateway({ HTTP_API_RETRIES: "1" });
  await using client = connect(gateway.wsUrl, alice.token);
  const variables = { chatId: shop, content: "hello", clientMessageId: "c-1" };
  using _ = gateway.api.faults.unavailable({ method: "POST", times: 1 });
  const send = (): Promise<unknown> => client.run(SendMessageDocument, variables);
  for (const error of await Promise.all([refusal(send()), refusal(send())])) {
    expect(error).toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
  }
  expect(await send()).toMatchObject({ sendMessage: { content: "hello" } });
});

test("the same clientMessageId of two senders is two messages", async () => {
  await using gateway = await startGateway();
  await using one = connect(gateway.wsUrl, alice.token);
  await using two = connect(gateway.wsUrl, bob.token);
  const send = async (client: typeof one): Promise<string> =>
    (await client.run(SendMessageDocument, { chatId: shop, content: "hello", clientMessageId: "c-1" })).sendMessage.id;
  const [first, second] = await Promise.all([send(one), send(two)]);
  expect(first).not.toBe(second);
});

test("a user who sends too much is told when to go on, on every connection, and nobody else is", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_MESSAGES: "2/1m" });
  await using one = connect(gateway.wsUrl, alice.token);
  await using two = connect(gateway.wsUrl, gateway.api.data.issueToken(alice.id));
  await using three = overHttp(gateway.url, alice.token);
  await using other = connect(gateway.wsUrl, bob.token);
  const message = { chatId: shop, content: "hello" };
  await one.run(SendMessageDocument, { ...message, clientMessageId: "c-1" });
  // Neither what is refused nor what is repeated counts.
  await refusal(one.run(SendMessageDocument, { ...message, content: " " }));
  await one.run(SendMessageDocument, { ...message, clientMessageId: "c-1" });
  await two.run(SendMessageDocument, message);
  for (const client of [one, two, three]) {
    const error = await refusal(client.run(SendMessageDocument, message));
    expect(error).toEqual({ code: "RATE_LIMITED", retryAfterMs: expect.any(Number) });
    expect(error["retryAfterMs"]).toBeGreaterThan(0);
    expect(error["retryAfterMs"]).toBeLessThanOrEqual(60_000);
  }
  expect(gateway.api.faults.requests.count({ method: "POST" })).toBe(2);
  expect(await other.run(SendMessageDocument, message)).toMatchObject({ sendMessage: { content: "hello" } });
});
