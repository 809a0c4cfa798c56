/** Equal documents are read once and held once, whoever sends them. */
import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Documents } from "../../src/graphql/documents.ts";
import { buildSchema } from "../../src/graphql/schema.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket, type GraphQLSocket, type RawResults } from "../support/graphql-socket.ts";
import { SendMessageDocument } from "../support/generated/graphql.ts";
import { codesOf, openEventStream, postOperation } from "../support/http.ts";

test.each([["a sound document", "subscription { messageAdded { id } }"]])(
  "%s is read once: the same text gives back the same",
  (_what, text) => {
    const documents = new Documents(buildSchema(), true);
    const first = documents.read(text);
    // As another request brings it: equal, and not the same string.
    const again = documents.read(Buffer.from(text).toString());
    expect(again).toBe(first);
    expect(first).toHaveProperty("document");
  },
);

test("another text is another document, however little it differs", () => {
  const documents = new Documents(buildSchema(), true);
  expect(documents.read("{ me { id } }")).not.toBe(documents.read("{ me { id  } }"));
});

// It is not kept: syntax trees are large, and anybody may send any number of wrong ones.
test("a wrong document is as wrong the second time", () => {
  const documents = new Documents(buildSchema(), true);
  const [first, second] = [documents.read("{ nothing }"), documents.read("{ nothing }")];
  expect(first).toMatchObject({ errors: [{ extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }] });
  expect(second).toEqual(first);
});

test.each([
  "subscription { messageAdded @skip(if: true) { id } }",
  "subscription { messageAdded @include(if: false) { id } }",
  "subscription { ... @skip(if: true) { messageAdded { id } } }",
  "subscription { ...F @include(if: false) } fragment F on Subscription { messageAdded { id } }",
  "subscription { ...F } fragment F on Subscription { messageAdded @skip(if: true) { id } }",
  "subscription { ...F } fragment F on Subscription { ... { messageAdded @skip(if: true) { id } } }",
  "subscription { messageAdded { id } presenceChanged @skip(if: true) { online } }",
  "subscription { messageAdded @skip(if: true) { id } presenceChanged { online } }",
  "subscription { messageAdded { id } presenceChanged { online } }",
  "subscription { __typename }",
  "subscription { messageAdded @skip(if: true) { id } __typename @include(if: false) }",
  "subscription { ...F } fragment F on Subscription { ...F }",
  "subscription ($on: Boolean = true) { messageAdded @include(if: $on) { id } }",
  "subscription ($on: Boolean!) { messageAdded { id } ... @skip(if: $on) { messageAdded { id } } }",
  "subscription ($on: Boolean!) { messageAdded @skip(if: $on) { id } ...F } fragment F on Subscription { presenceChanged @include(if: $on) { online } }",
])("a subscription that may have no field, or several, is refused: %s", async (query) => {
  await using gateway = await startGateway();
  const { token = "" } = gateway.api.users[0] ?? {};
  await using socket = await openGraphQLSocket(gateway.wsUrl, token);
  const operation = { query, ...(query.includes("$on") && { variables: { on: true } }) };
  await using stream = await openEventStream(gateway.url, operation, token);
  const answers = [
    await socket.start(operation).ended,
    (await postOperation(gateway.url, operation, token)).errors,
    (await stream.next()).errors,
  ];
  const allowed = new Set(["GRAPHQL_VALIDATION_FAILED"]);
  expect(answers.map((errors) => new Set(codesOf(errors)))).toEqual([allowed, allowed, allowed]);
  expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  expect(await socket.run({ query: "{ me { id } }" })).toEqual({ me: { id: gateway.api.users[0]?.id } });
});

const COUNT = 200;
const DOCUMENT_BYTES = 50_000;

test("what subscriptions hold does not grow with the size of their document", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await using gateway = await startGateway({ COMPRESSION: "false" });
  const [alice, bob] = gateway.api.users;
  await using sender = connect(gateway.wsUrl, alice?.token);
  await sender.acknowledged;
  await using sockets = new AsyncDisposableStack();
  const readers: GraphQLSocket[] = [];
  for (let count = 0; count < 10; count++)
    readers.push(sockets.use(await openGraphQLSocket(gateway.wsUrl, bob?.token)));
  const padding = randomBytes(DOCUMENT_BYTES / 2).toString("hex");
  const query = `subscription { messageAdded { id content } }\n# ${padding}`;

  async function subscribe(count: number): Promise<RawResults[]> {
    const started = Array.from({ length: count }, (_, index) => readers[index % readers.length]?.start({ query }));
    for (const reader of readers) await reader.run({ query: "{ chats { id } }" });
    return started.filter((results) => results !== undefined);
  }
  async function heapBytes(): Promise<number> {
    // What one turn lets go of may be held by the next for a while.
    for (let round = 0; round < 5; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  // The first ones pay for all that is there once.
  const first = await subscribe(readers.length);
  const before = await heapBytes();
  const all = [...first, ...(await subscribe(COUNT))];
  const grownBytes = (await heapBytes()) - before;
  expect(grownBytes).toBeLessThan((COUNT * DOCUMENT_BYTES) / 4);
  await sender.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "hello" });
  const payloads = await Promise.all(all.map((results) => results.next()));
  expect(payloads).toHaveLength(COUNT + readers.length);
  expect(new Set(payloads).size).toBe(1);
});
