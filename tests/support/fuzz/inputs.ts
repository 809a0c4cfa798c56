/** What a client that wants to do harm sends: nearly right messages, in any order. */
import * as fc from "fast-check";
import { clientFrame, compressedFrame } from "../client-frames.ts";

const FIELDS = [
  "__typename",
  "me { id name }",
  "chats { id lastMessage { id content } unreadCount }",
  'chat(id: "x") { id }',
  "chat(id: $id) { id messages(last: $n) { nodes { id } } }",
  "chats @include(if: $if) { id @skip(if: $if) }",
  "nothing",
  "__schema { types { name } }",
  "...F",
  "... on Query { me { id } }",
  "a: me { id } a: chats { id }",
];
const EVENTS = [
  "messageAdded { id content }",
  "messageAdded(chatId: $id, after: $after) { id @include(if: $if) }",
  "messageAdded @skip(if: true) { id }",
  "readReceipt { id }",
  "typingChanged(chatId: $id) { isTyping }",
  "presenceChanged { online user { id } }",
  "__typename",
  "messageAdded { id } readReceipt { id }",
];
const CHANGES = [
  'sendMessage(chatId: $id, content: "hello") { id }',
  "setTyping(chatId: $id, isTyping: $if) { isTyping }",
  "markChatRead(chatId: $id) { readAt }",
  'markRead(chatId: $id, messageId: "x") { readAt }',
  'refreshToken(token: "made up") { id }',
];
const DEFINITIONS = [
  "",
  "($id: ID)",
  "($id: ID!, $n: Int! = 5, $if: Boolean! = true, $after: String)",
  '($id: ID = "x", $n: Int = 5, $if: Boolean = true, $after: String = "x")',
  "($id: [ID!]!)",
  "($__proto__: ID)",
];

function operationOf(kind: string, fields: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...DEFINITIONS), fc.array(fc.constantFrom(...fields), { minLength: 1, maxLength: 4 }))
    .map(([definitions, selections]) => `${kind} ${definitions} { ${selections.join(" ")} }`);
}

const documents: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: operationOf("query", FIELDS) },
  { weight: 4, arbitrary: operationOf("subscription", EVENTS) },
  { weight: 2, arbitrary: operationOf("mutation", CHANGES) },
  {
    weight: 1,
    arbitrary: operationOf("query Q", FIELDS).map((text) => `${text} fragment F on Query { me { id } ...F }`),
  },
  { weight: 1, arbitrary: operationOf("query Q", FIELDS).map((text) => `${text} fragment F on Query { me { id } }`) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 }).map((count) => `{ ${"me{id} ".repeat(count)} }`) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 2000 }).map((depth) => `${"{a".repeat(depth)}${"}".repeat(depth)}`),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3000 }).map((depth) => `{ chat(id: ${"[".repeat(depth)}`) },
  { weight: 1, arbitrary: fc.string({ maxLength: 40 }) },
);

function nested(depth: number): unknown {
  let value: unknown = "x";
  for (let level = 0; level < depth; level++) value = level % 2 ? { a: value } : [value];
  return value;
}

const values: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, 0, 1.5, 2 ** 53, "", "x", "1", "__proto__", {}, [], "x".repeat(5000)),
  fc.integer({ min: 1, max: 4000 }).map(nested),
  fc.jsonValue({ maxDepth: 3 }),
);

const variables: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(fc.constantFrom("id", "n", "if", "after", "junk", "__proto__"), values) },
  { weight: 1, arbitrary: values },
);

const ids: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("1", "2", "3", "a-long-enough-id-1") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "__proto__", "constructor", "é".repeat(128), "x".repeat(129), null, 1, {}),
  },
);

/** The body of a request, or the payload of a message. */
export const operations: fc.Arbitrary<object> = fc.record(
  {
    query: fc.oneof({ weight: 12, arbitrary: documents }, { weight: 1, arbitrary: values }),
    variables,
    operationName: fc.oneof(fc.constantFrom("Q", "", "other"), values),
    extensions: fc.oneof(fc.constant({ persistedQuery: { version: 1, sha256Hash: "x".repeat(64) } }), values),
    junk: values,
  },
  { requiredKeys: [] },
);

const messages: fc.Arbitrary<object> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ id: ids, type: fc.constant("subscribe"), payload: operations }) },
  { weight: 4, arbitrary: fc.record({ id: ids, type: fc.constant("complete") }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constantFrom("ping", "pong"), payload: values }, { requiredKeys: ["type"] }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("connection_init"), payload: values }) },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        id: ids,
        type: fc.constantFrom("next", "error", "connection_ack", "start", "constructor", 1, null),
        payload: values,
      },
      { requiredKeys: [] },
    ),
  },
);

const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: messages.map((message) => JSON.stringify(message)) },
  { weight: 1, arbitrary: fc.tuple(messages, fc.nat()).map(([message, at]) => cut(JSON.stringify(message), at)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 30 }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 20_000 })
      .map((depth) => `{"type":"ping","payload":${"[".repeat(depth)}${"]".repeat(depth)}}`),
  },
);

function cut(whole: string, at: number): string {
  return whole.slice(0, at % (whole.length + 1));
}

/** Bytes that a client sends in one piece. */
export function frames(isCompressed: boolean): fc.Arbitrary<Buffer> {
  const control = fc.tuple(fc.constantFrom(8, 9, 10), fc.uint8Array({ maxLength: 130 }));
  return fc.oneof(
    { weight: 20, arbitrary: text.map((payload) => clientFrame(payload)) },
    { weight: isCompressed ? 10 : 1, arbitrary: text.map(compressedFrame) },
    { weight: 1, arbitrary: text.map((payload) => halves(payload)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => clientFrame(Buffer.from(bytes))) },
    { weight: 1, arbitrary: control.map(([opcode, bytes]) => clientFrame(Buffer.from(bytes), { opcode })) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 30 }).map((bytes) => clientFrame(Buffer.from(bytes), { compressed: true })),
    },
  );
}

/** A message in two frames, a ping between them. */
function halves(payload: string): Buffer {
  const middle = payload.length >> 1;
  return Buffer.concat([
    clientFrame(payload.slice(0, middle), { final: false }),
    clientFrame("between", { opcode: 9 }),
    clientFrame(payload.slice(middle), { opcode: 0 }),
  ]);
}

/** A request to the GraphQL endpoint. */
export const requests: fc.Arbitrary<RequestInit & { readonly search: string }> = fc
  .record({
    method: fc.constantFrom("POST", "POST", "POST", "GET"),
    type: fc.constantFrom(
      "application/json",
      "application/json; charset=utf-8",
      "text/plain",
      "application/graphql",
      "",
    ),
    accept: fc.constantFrom(
      "application/json",
      "application/graphql-response+json",
      "text/event-stream",
      "*/*",
      "nonsense",
    ),
    body: fc.oneof(
      { weight: 8, arbitrary: operations.map((operation) => JSON.stringify(operation)) },
      { weight: 1, arbitrary: fc.array(operations, { maxLength: 3 }).map((batch) => JSON.stringify(batch)) },
      { weight: 1, arbitrary: fc.string({ maxLength: 40 }) },
    ),
    query: documents,
  })
  .map(({ method, type, accept, body, query }) =>
    method === "GET"
      ? {
          method,
          headers: { accept },
          search: `?${new URLSearchParams({ query: query.slice(0, 2000).toWellFormed() }).toString()}`,
        }
      : { method, headers: { accept, ...(type !== "" && { "content-type": type }) }, body, search: "" },
  );
