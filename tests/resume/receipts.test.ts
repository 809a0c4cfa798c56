/** Receipts that the backend tells of late, in another order than they were made. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { MarkChatReadDocument, MarkReadDocument } from "../support/generated/graphql.ts";
import { RECEIPTS, visit } from "../support/returning-client.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

/** That somebody has read the whole chat, of a time before everything in these tests. */
const LATE = {
  type: "message.read",
  data: { chatId: team, userId: bob.id, readAt: "2026-02-01T10:00:00.000Z" },
} as const;

test("a late receipt for the whole chat takes the place of none that was made after it", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  await using reader = connect(gateway.wsUrl, bob.token);
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1", { query: RECEIPTS });
  await first.drop();
  const { id: messageId } = gateway.api.data.addMessage({ chatId: team, senderId: alice.id, content: "read me" });
  await reader.run(MarkReadDocument, { chatId: team, messageId });
  await tell(gateway, LATE);
  await using second = await visit(gateway.wsUrl, alice.token);
  const received = await second.follow("1", { query: RECEIPTS });
  const barrier = gateway.api.data.addMessage({ chatId: team, senderId: alice.id, content: "read me too" }).id;
  await reader.run(MarkReadDocument, { chatId: team, messageId: barrier });
  await received.has(barrier);
  expect(received.all).toContain(messageId);
});

test("a late receipt for the whole chat takes back no newer one", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  await using reader = connect(gateway.wsUrl, bob.token);
  await using client = await visit(gateway.wsUrl, alice.token);
  const { id } = gateway.api.data.addMessage({ chatId: team, senderId: alice.id, content: "read me" });
  await reader.run(MarkChatReadDocument, { chatId: team });
  await tell(gateway, LATE);
  const query = "query ($id: ID!) { chat(id: $id) { messages(last: 1) { nodes { id readBy { reader { id } } } } } }";
  const result = await client.socket.run({ query, variables: { id: team } });
  expect(result).toMatchObject({ chat: { messages: { nodes: [{ id, readBy: [{ reader: { id: bob.id } }] }] } } });
});
