/** Which operations may be executed once for everybody is what the schema says of its fields: it has to be true. */
import SchemaBuilder from "@pothos/core";
import { parse, validate, type GraphQLSchema } from "graphql";
import { expect, test } from "vitest";
import type { EventOf, EventType } from "../../src/chat/events/registry.ts";
import type { Caller } from "../../src/graphql/caller.ts";
import type { Context } from "../../src/graphql/context.ts";
import { buildSchema } from "../../src/graphql/schema.ts";
import { DEPENDS_ON_VIEWER, dependsOnViewer, variablesOfResults } from "../../src/graphql/viewer.ts";
import { partialFields } from "./viewer-check.ts";

const user = { id: "u1", name: "Ursula" };
const at = "2026-01-31T09:30:00.000Z";
const message = {
  id: "m1",
  chatId: "c1",
  sender: user,
  content: "hello",
  createdAt: at,
  readAt: at,
  clientMessageId: "x",
};

/** One event of each type, in what it carries: whatever subscription field is asked for finds its own. */
const EVENTS: { readonly [Type in EventType]: Omit<EventOf<Type>, "type" | "chatId"> } = {
  "message.created": { message },
  "message.read": { id: "r1", receipt: { chatId: "c1", messageId: "m1", reader: user, readAt: at } },
  "typing.changed": { change: { chatId: "c1", user, isTyping: true } },
  "presence.changed": { presence: { user, online: false, lastSeenAt: at } },
};
const ANY_EVENT = Object.assign({}, ...Object.values(EVENTS)) as object;

test("no field of the published schema reads who asks, or waits, unless it is marked", () => {
  expect(partialFields(buildSchema(), ANY_EVENT)).toEqual([]);
});

/** A schema with a field of every kind, right and wrong. */
function schemaOfAllKinds(): GraphQLSchema {
  const builder = new SchemaBuilder<{
    Context: Context;
    Objects: { Room: { topic: string }; Guest: { name: string } };
  }>({});
  builder.objectType("Guest", {
    fields: (t) => ({
      name: t.exposeString("name"),
      isMe: t.boolean({ resolve: async ({ name }, _args, { caller }) => (await caller.identity()).user.name === name }),
    }),
  });
  builder.objectType("Room", {
    fields: (t) => ({
      topic: t.exposeString("topic"),
      guests: t.field({ type: ["Guest"], resolve: () => [{ name: "Ursula" }] }),
      asksInVain: t.boolean({
        resolve(_room, _args, { caller }) {
          // Nothing comes of it, and it is found nevertheless.
          void (caller satisfies Caller);
          return true;
        },
      }),
      count: t.int({ resolve: (_room, _args, { loaders }) => Object.keys(loaders).length }),
      variable: t.int({ resolve: (_room, _args, { operation }) => Object.keys(operation).length }),
      late: t.int({ resolve: async () => 1 }),
      broken: t.int({
        resolve() {
          throw new Error("no");
        },
      }),
      unread: t.int({
        extensions: DEPENDS_ON_VIEWER,
        resolve: async (_room, _args, { caller }) => Number(await caller.identity()),
      }),
      served: t.boolean({ resolve: (_room, _args, { services }) => Boolean(services) }),
    }),
  });
  builder.queryType({
    fields: (t) => ({ mine: t.boolean({ resolve: (_root, _args, { caller }) => Boolean(caller) }) }),
  });
  builder.subscriptionType({
    fields: (t) => ({
      room: t.field({ type: "Room", subscribe: async function* () {}, resolve: () => ({ topic: "tides" }) }),
    }),
  });
  return builder.toSchema();
}

test("the check of that finds what is wrong, at whatever depth, and nothing else", () => {
  expect(partialFields(schemaOfAllKinds(), {})).toEqual([
    "Guest.isMe reads caller",
    "Guest.isMe waits",
    "Room.asksInVain reads caller",
    "Room.broken fails: no",
    "Room.count reads loaders",
    "Room.late waits",
    "Room.variable reads operation",
  ]);
});

test.each([
  ["{ room { topic } }", false],
  ["{ room { unread } }", true],
  ["{ a: room { b: unread } }", true],
  ["{ room { ... { unread } } }", true],
  ["{ room { unread @skip(if: true) } }", true],
  ["{ room { ...F } } fragment F on Room { unread }", true],
  ["{ room { ...F } } fragment F on Room { topic ...G } fragment G on Room { ... on Room { unread } }", true],
  ["A { room { topic } } subscription B { room { unread } }", true],
])("subscription %s depends on the viewer: %s", (text, expected) => {
  const schema = schemaOfAllKinds();
  const document = parse(`subscription ${text}`);
  expect(validate(schema, document)).toEqual([]);
  expect(dependsOnViewer(schema, document)).toBe(expected);
});

test.each([
  ["subscription ($c: ID) { messageAdded(chatId: $c) { id } }", []],
  ["subscription ($c: ID, $x: Boolean!) { messageAdded(chatId: $c) { id @skip(if: $x) } }", ["x"]],
  ["subscription ($c: ID, $x: Boolean!) { messageAdded(chatId: $c) { id ... @include(if: $x) { chatId } } }", ["x"]],
  [
    "subscription ($c: ID, $x: Boolean!) { messageAdded(chatId: $c) { id ...F @include(if: $x) } } fragment F on Message { id }",
    ["x"],
  ],
  ["subscription ($c: ID) { ...R } fragment R on Subscription { m: messageAdded(chatId: $c) { id } }", []],
  [
    "subscription ($b: Boolean! = true, $a: Boolean!) { messageAdded { id @skip(if: $b) @include(if: $a) } }",
    ["a", "b"],
  ],
  ["query ($id: ID!) { chat(id: $id) { id } }", ["id"]],
])("the results of %s depend on the variables %j", (text, expected) => {
  const schema = buildSchema();
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  expect(variablesOfResults(schema, document)).toEqual(expected);
});
