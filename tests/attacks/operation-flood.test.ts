/** One client subscribes and completes, or mutates, as fast as its socket takes it. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { openAcknowledged, type RawMessage } from "../support/raw-socket.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const MESSAGES = "subscription M($chatId: ID) { messageAdded(chatId: $chatId) { content } }";
const LIMIT = 100;
const WINDOW_MS = 3000;

test.each<[what: string, payload: object]>([
  ["subscribe and complete", { query: MESSAGES, variables: { chatId: shop } }],
  ["subscribe to what is refused", { query: MESSAGES, variables: { chatId: "nowhere" } }],
  ["mutate", { query: `mutation { setTyping(chatId: "${shop}", isTyping: true) { isTyping } }` }],
  ["query", { query: "{ chats { id } }" }],
])("to %s without an end costs the flooder its connection and nobody else anything", async (_what, payload) => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: `${LIMIT}/${WINDOW_MS}ms` });
  await using listener = connect(gateway.wsUrl, carol.token);
  await using received = listener.subscribe(MessageAddedDocument, { chatId: team });
  await using sender = connect(gateway.wsUrl, bob.token);
  await Promise.all([listener.acknowledged, sender.acknowledged]);
  await using flooder = await openAcknowledged(gateway.wsUrl, alice.token);
  const before = gateway.api.faults.requests.count({ token: alice.token });
  const begunAt = performance.now();
  for (let count = 0; count < 10 * LIMIT; count++) {
    const id = `operation-${String(count)}-${"0".repeat(16)}`;
    flooder.send({ id, type: "subscribe", payload }, { id, type: "complete" });
  }
  for (const content of ["one", "two", "three"]) await sender.run(SendMessageDocument, { chatId: team, content });
  const contents = [await received.next(), await received.next(), await received.next()];
  expect(contents.map(({ messageAdded }) => messageAdded.content)).toEqual(["one", "two", "three"]);
  const { code } = await flooder.closed;
  expect(code).toBe(4429);
  // The connection is slowed for a window before it is closed, which takes longer where the machine is slow; and a subscription of one chat
  // may ask for its members.
  const windows = 2 + (performance.now() - begunAt) / WINDOW_MS;
  expect(gateway.api.faults.requests.count({ token: alice.token }) - before).toBeLessThanOrEqual(2 * LIMIT * windows);
});

test("what is refused says when to go on, and is answered like any other operation", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_OPERATIONS: "1/1m" });
  await using socket = await openAcknowledged(gateway.wsUrl, alice.token);
  const answers: RawMessage[] = [];
  for (const id of ["a", "b"]) socket.send({ id, type: "subscribe", payload: { query: "{ me { id } }" } });
  for (let count = 0; count < 3; count++) answers.push(await socket.next());
  expect(answers).toContainEqual({
    id: "b",
    type: "error",
    payload: [
      expect.objectContaining({ extensions: { code: "RATE_LIMITED", retryAfterMs: expect.any(Number) } }) as unknown,
    ],
  });
  // The id is free again.
  socket.send({ id: "b", type: "subscribe", payload: { query: "{ me { id } }" } });
  expect(await socket.next()).toMatchObject({ id: "b", type: "error" });
});
