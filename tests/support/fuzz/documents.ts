/** Documents and variables that a client which wants to do harm sends: many are right, most others nearly. */
import * as fc from "fast-check";

/** What exists at the gateway under attack: with it an operation reaches the REST API and the log. */
export interface Known {
  readonly chatIds: readonly string[];
  readonly messageIds: readonly string[];
  readonly cursors: readonly string[];
}

const FIELDS = [
  "__typename",
  "me { id name }",
  "chats { id title lastMessage { id content } unreadCount }",
  'chat(id: "x") { id }',
  "chat(id: $id) { id title messages(last: $n) { nodes { id readBy { reader { id } } } } }",
  "chat(id: $id) { id messages(last: $n, before: $after) { nodes { id cursor } } }",
  "chat(id: $id) { id presence { online } participants { id presence { lastSeenAt } } }",
  "chats @include(if: $if) { id @skip(if: $if) }",
  "nothing",
  "__schema { types { name } }",
  "...F",
  "... on Query { me { id } }",
  "a: me { id } a: chats { id }",
];
const EVENTS = [
  "messageAdded { id content }",
  "messageAdded(chatId: $id) { id sender { name } cursor }",
  "messageAdded(chatId: $id, after: $after) { id @include(if: $if) }",
  "messageAdded @skip(if: true) { id }",
  "readReceipt { id }",
  "readReceipt(chatId: $id) { id reader { id } }",
  "typingChanged(chatId: $id) { isTyping }",
  "presenceChanged { online user { id } }",
  "chatsChanged { isSnapshot changed { id title unreadCount } removedIds }",
  "__typename",
];
const CHANGES = [
  'sendMessage(chatId: $id, content: "hello") { id }',
  "setTyping(chatId: $id, isTyping: $if) { isTyping }",
  "markChatRead(chatId: $id) { readAt }",
  "markRead(chatId: $id, messageId: $message) { readAt }",
  'refreshToken(token: "made up") { id }',
];
const WRONG_DEFINITIONS = [
  "",
  "($id: ID)",
  '($id: ID = "x", $n: Int = 5, $if: Boolean = true, $after: String = "x", $message: ID = "x")',
  "($id: [ID!]!)",
  "($__proto__: ID)",
];
const TYPES = { id: "ID!", n: "Int! = 5", if: "Boolean! = true", after: "String", message: "ID!" };

/** The variables that selections use, with the types that they need. */
function definitionsOf(selections: string): string {
  const used = Object.entries(TYPES).filter(([name]) => new RegExp(`\\$${name}\\b`).test(selections));
  return used.length === 0 ? "" : `(${used.map(([name, type]) => `$${name}: ${type}`).join(", ")})`;
}

function operationOf(kind: string, fields: readonly string[], maxLength = 4): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.oneof(
        { weight: 5, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom(...WRONG_DEFINITIONS) },
      ),
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...fields) },
        {
          weight: 1,
          arbitrary: fc.array(fc.constantFrom(...fields), { minLength: 1, maxLength }).map((some) => some.join(" ")),
        },
      ),
    )
    .map(([definitions, selections]) => `${kind} ${definitions ?? definitionsOf(selections)} { ${selections} }`);
}

/** Large ones are rare: they cost the fuzz more than the gateway. */
export const documents: fc.Arbitrary<string> = fc.oneof(
  { weight: 40, arbitrary: operationOf("query", FIELDS) },
  { weight: 40, arbitrary: operationOf("subscription", EVENTS) },
  { weight: 20, arbitrary: operationOf("mutation", CHANGES) },
  {
    weight: 3,
    arbitrary: operationOf("query Q", FIELDS).map((text) => `${text} fragment F on Query { me { id } ...F }`),
  },
  { weight: 3, arbitrary: operationOf("query Q", FIELDS).map((text) => `${text} fragment F on Query { me { id } }`) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 }).map((count) => `{ ${"me{id} ".repeat(count)} }`) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 2000 }).map((depth) => `${"{a".repeat(depth)}${"}".repeat(depth)}`),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3000 }).map((depth) => `{ chat(id: ${"[".repeat(depth)}`) },
  { weight: 5, arbitrary: fc.string({ maxLength: 40 }) },
);

function nested(depth: number): unknown {
  let value: unknown = "x";
  for (let level = 0; level < depth; level++) value = level % 2 ? { a: value } : [value];
  return value;
}

const PERSISTED = { persistedQuery: { version: 1, sha256Hash: "x".repeat(64) } };

const SIMPLE = [null, true, 0, 1.5, 2 ** 53, "", "x", "1", "__proto__", {}, []] as const;

/** Any value of JSON. */
export const values: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom<unknown[]>(...SIMPLE) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.constant("x".repeat(5000)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 150 }).map(nested) },
);

const NAMES = ["id", "n", "if", "after", "message", "junk", "__proto__", "constructor"] as const;

/** Values of variables: most are of the right type, and about what there is. */
function variables({ chatIds, messageIds, cursors }: Known): fc.Arbitrary<object> {
  const right = fc.record({
    id: fc.constantFrom(...chatIds),
    n: fc.integer({ min: -1, max: 120 }),
    if: fc.boolean(),
    after: fc.constantFrom(null, ...cursors),
    message: fc.constantFrom(...messageIds),
  });
  const wrong = fc.dictionary(fc.constantFrom(...NAMES), values, { maxKeys: 4 });
  return fc.oneof(
    { weight: 3, arbitrary: right },
    { weight: 1, arbitrary: fc.tuple(right, wrong).map(([all, some]) => ({ ...all, ...some })) },
    { weight: 1, arbitrary: wrong },
  );
}

/** The payload of a `subscribe` message that the protocol allows, whatever is in it. */
export function soundOperations(known: Known): fc.Arbitrary<object> {
  const plain = fc.record({ query: documents, variables: variables(known) });
  const others = fc.record(
    {
      operationName: fc.constantFrom("Q", "", "other", null),
      extensions: fc.constantFrom<unknown[]>({}, null, PERSISTED, { junk: "x".repeat(3000) }),
      junk: values,
    },
    { requiredKeys: [] },
  );
  return fc.oneof(
    { weight: 4, arbitrary: plain },
    { weight: 1, arbitrary: fc.tuple(plain, others).map(([all, some]) => ({ ...all, ...some })) },
  );
}

/** The body of a request, or the payload of a message, also of a wrong form. */
export function operations(known: Known): fc.Arbitrary<object> {
  return fc.record(
    {
      query: fc.oneof({ weight: 12, arbitrary: documents }, { weight: 1, arbitrary: values }),
      variables: fc.oneof({ weight: 5, arbitrary: variables(known) }, { weight: 1, arbitrary: values }),
      operationName: fc.oneof(fc.constantFrom("Q", "", "other"), values),
      extensions: fc.oneof(fc.constant(PERSISTED), values),
      junk: values,
    },
    { requiredKeys: [] },
  );
}
