/** A member who marks as read, again and again. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import type { MessageRead } from "../../src/chat/events/message-read.ts";
import { compactionOf, decodeEvent, idOf, kindOf, topicOf, type BusEvent } from "../../src/chat/events/registry.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { startRedis } from "../support/redis.ts";
import { OF_TEAM } from "../support/resume-scene.ts";
import { RECEIPTS, visit } from "../support/returning-client.ts";

const [alice, bob, carol] = DEMO_USERS;
const { team } = DEMO_CHATS;

const FLOOD = 2000;

test("a flood of receipts costs somebody who was away no message, and the log keeps the newest of them", async () => {
  await using redis = await startRedis();
  const prefix = "flooded:";
  await using gateway = await startGateway({ REDIS_URL: redis.url, REDIS_PREFIX: prefix });
  await using stack = new AsyncDisposableStack();
  const flooder = stack.adopt(
    await createRedisBus<BusEvent>({
      url: redis.url,
      prefix,
      kindOf,
      idOf,
      compactionOf,
      decode: decodeEvent,
      logAgeMs: 600_000,
      presenceTtlMs: 30_000,
      presenceGraceMs: 0,
      onListenerError: () => undefined,
    }),
    (bus) => bus.close(),
  );
  await using control = connect(gateway.wsUrl, bob.token);
  await using received = control.subscribe(MessageAddedDocument, { chatId: team });
  await control.run(MeDocument);
  await using victim = await visit(gateway.wsUrl, carol.token);
  await victim.follow("messages", OF_TEAM);
  await victim.follow("receipts", { query: RECEIPTS, variables: { chatId: team } });
  await victim.drop();

  await control.run(SendMessageDocument, { chatId: team, content: "before" });
  const reader = { id: alice.id, name: alice.name };
  const receiptFor = (messageId: string | null): MessageRead => ({
    type: "message.read",
    id: randomUUID(),
    chatId: team,
    receipt: { chatId: team, messageId, reader, readAt: new Date().toISOString() },
  });
  for (let sent = 0; sent < FLOOD; sent += 1000) {
    const events = Array.from({ length: 1000 }, (_, index) => receiptFor(`m${sent + index}`));
    await Promise.all(events.map((event) => flooder.publish(topicOf(event), event)));
  }
  await control.run(SendMessageDocument, { chatId: team, content: "after" });

  const histories = (): number => gateway.api.faults.requests.count({ method: "GET", path: `/chats/${team}/messages` });
  const before = histories();
  await using back = await visit(gateway.wsUrl, carol.token);
  const messages = await back.follow("messages", OF_TEAM);
  await messages.has("before", "after");
  const receipts = await back.follow("receipts", { query: RECEIPTS, variables: { chatId: team } });
  await receipts.has(`m${FLOOD - 1}`);
  expect(messages.all).toEqual(["before", "after"]);
  expect(receipts.all.length).toBeLessThanOrEqual(50);
  // Out of the log alone.
  expect(histories()).toBe(before);
  expect(await redis.control.xlen(`${prefix}compacted:{chat:${team}}`)).toBe(50);
  const ofChat = receiptFor(null);
  await flooder.publish(topicOf(ofChat), ofChat);
  expect(await redis.control.xlen(`${prefix}compacted:{chat:${team}}`)).toBe(1);
  expect([await received.next(), await received.next()].map(({ messageAdded }) => messageAdded.content)).toEqual([
    "before",
    "after",
  ]);
});
