import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineEvent } from "../../src/chat/events/definition.ts";
import { decodeEvent, idOf, kindOf, topicOf, withPosition, type BusEvent } from "../../src/chat/events/registry.ts";

const ann = { id: "ann", name: "Ann" };
const createdAt = "2026-01-01T00:00:00.000Z";
const message = { id: "m1", chatId: "c1", sender: ann, content: "hi", createdAt, readAt: null, clientMessageId: null };

/** One event of each type, and what the bus is told of it. */
const CASES: { readonly [Type in BusEvent["type"]]: { event: Extract<BusEvent, { type: Type }>; facts: string[] } } = {
  "message.created": {
    event: { type: "message.created", chatId: "c1", message },
    facts: ["durable", "chat:c1", "message m1"],
  },
  "message.read": {
    event: {
      type: "message.read",
      id: "e1",
      chatId: "c1",
      receipt: { chatId: "c1", messageId: null, reader: ann, readAt: createdAt },
    },
    facts: ["durable", "chat:c1", "e1"],
  },
  "typing.changed": {
    event: {
      type: "typing.changed",
      chatId: "c1",
      expiresInMs: 5000,
      change: { chatId: "c1", user: ann, isTyping: true },
    },
    facts: ["transient", "chat:c1"],
  },
  "presence.changed": {
    event: { type: "presence.changed", presence: { user: ann, online: true, lastSeenAt: null } },
    facts: ["transient", "users"],
  },
  "chat.changed": {
    event: { type: "chat.changed", id: "e2", chatId: "c1", participants: [ann] },
    facts: ["durable", "users", "e2"],
  },
  "chat.deleted": {
    event: { type: "chat.deleted", id: "e3", chatId: "c1" },
    facts: ["durable", "users", "e3"],
  },
  "membership.ended": {
    event: { type: "membership.ended", id: "e4", chatId: "c1", userId: "ann" },
    facts: ["durable", "users", "e4"],
  },
  "user.signed_out": {
    event: { type: "user.signed_out", id: "e5", userId: "ann" },
    facts: ["durable", "users", "e5"],
  },
  "user.lookup": {
    event: { type: "user.lookup", requestId: "r1", userId: "u1" },
    facts: ["transient", "users"],
  },
  "positions.handed_over": {
    event: {
      type: "positions.handed_over",
      positions: [
        { key: "k", owner: "o", takenAt: "1", position: { base: "1", topics: { "chat:c1": "2" } }, ttlMs: 1000 },
      ],
    },
    facts: ["transient", "users"],
  },
  "chat.unknown": {
    event: { type: "chat.unknown", chatId: "c1", messageId: "m1" },
    facts: ["durable", "unknown-chats", "m1"],
  },
};

describe.each(Object.entries(CASES))("%s", (_type, { event, facts }) => {
  test("survives the way to another instance", () => {
    expect(decodeEvent(JSON.parse(JSON.stringify(event)))).toEqual(event);
  });

  test("has a kind, a topic and, if durable, an id", () => {
    const kind = kindOf(event);
    expect([kind, topicOf(event), ...(kind === "durable" ? [idOf(event)] : [])]).toEqual(facts);
  });

  test("is refused where a property is missing", () => {
    for (const name of Object.keys(event).filter((key) => key !== "expiresInMs")) {
      expect(decodeEvent({ ...event, [name]: undefined })).toBeUndefined();
    }
  });
});

test.each([undefined, null, "message.created", {}, { type: "message.edited" }])("no event: %j", (value) => {
  expect(decodeEvent(value)).toBeUndefined();
});

test("a message carries its position to subscribers, a receipt has no use for it", () => {
  const position = "000000000000001-000000000001";
  expect(withPosition(CASES["message.created"].event, position).message.position).toBe(position);
  expect(withPosition(CASES["message.read"].event, position)).toBe(CASES["message.read"].event);
});

test("the compiler refuses an incomplete definition", () => {
  const shape = { chatId: z.string() };
  const common = { name: "a", shape, topic: "chat", recipients: "subscribers" } as const;
  defineEvent({ ...common, kind: "transient" });
  defineEvent({ ...common, kind: "durable", id: ({ chatId }) => chatId });
  // @ts-expect-error: a durable event needs an id
  defineEvent({ ...common, kind: "durable" });
  // @ts-expect-error: its id is one of its own properties
  defineEvent({ ...common, kind: "durable", id: ({ messageId }) => String(messageId) });
  // @ts-expect-error: the kind is missing
  defineEvent(common);
  // @ts-expect-error: an event of a chat has a chatId
  defineEvent({ ...common, shape: {}, kind: "transient" });
  expect(defineEvent({ ...common, kind: "transient" }).schema.safeParse({ type: "b", chatId: "c1" }).success).toBe(
    false,
  );
});
