/** Documents that would cost much before anybody knows whether they may be executed. */
import { getIntrospectionQuery } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { Documents } from "../../src/graphql/documents.ts";
import { buildSchema } from "../../src/graphql/schema.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { codesOf, postOperation } from "../support/http.ts";

const [alice, bob] = DEMO_USERS;

const times = (count: number, make: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => make(index)).join(" ");

/** The text differs each time, so that nothing is remembered of it. */
const EXPENSIVE: Readonly<Record<string, (nonce: number) => string>> = {
  "one field 380 times": (nonce) => `{ ${times(380, () => "me{id}")} } # ${nonce}`,
  "one field 380 times in fragments": (nonce) =>
    `{ ${times(19, (index) => `...F${index}`)} } ${times(19, (index) => `fragment F${index} on Query { ${times(20, () => "me{id}")} }`)} # ${nonce}`,
  "long arguments of one field": (nonce) =>
    `{ ${times(60, () => `chat(id: "${"x".repeat(700)}") { id }`)} } # ${nonce}`,
  "60,000 characters": (nonce) => `{ me { id } } #${"x".repeat(60_000)}${nonce}`,
  "2,001 lines": (nonce) => `{ me { ${times(25, (index) => `unknown${index}`)} } }${"\n".repeat(2000)}# ${nonce}`,
  "2,100 tokens": (nonce) => `{ ${times(700, () => "a: a")} } # ${nonce}`,
  "101 root fields": (nonce) => `{ ${times(101, () => "__typename")} } # ${nonce}`,
  "101 aliases": (nonce) => `{ chats { ${times(101, (index) => `a${index}: id`)} } } # ${nonce}`,
  "101 fragments": (nonce) =>
    `{ ${times(101, (index) => `...F${index}`)} } ${times(101, (index) => `fragment F${index} on Query { __typename }`)} # ${nonce}`,
  "21 operations": (nonce) => `${times(21, (index) => `query Q${index} { me { id } }`)} # ${nonce}`,
  "a field with a long name": (nonce) => `{ me { ${"x".repeat(50_000)} } } # ${nonce}`,
  "an argument with a long name": (nonce) => `{ chat(id: "1", ${"x".repeat(50_000)}: 1) { id } } # ${nonce}`,
  "a type with a long name": (nonce) => `query ($v: ${"X".repeat(50_000)}) { me { id } } # ${nonce}`,
  "a long enum value": (nonce) => `{ chat(id: ${"X".repeat(50_000)}) { id } } # ${nonce}`,
  "33 levels": (nonce) => `{ __schema { types { ${"ofType { ".repeat(30)} name ${"}".repeat(30)} } } } # ${nonce}`,
  "the schema, many times": (nonce) =>
    `{ ${times(30, (index) => `a${index}: __schema { types { name fields { name type { name fields { name } } } } }`)} } # ${nonce}`,
  "fragments that double at each level": (nonce) =>
    `{ __schema { types { ...F0 } } } ${times(12, (index) => `fragment F${index} on __Type { a: ofType { ...F${index + 1} } b: ofType { ...F${index + 1} } }`)} fragment F12 on __Type { name } # ${nonce}`,
};

/** Wrong, though none of the limits is reached. */
const WRONG: Readonly<Record<string, (nonce: number) => string>> = {
  "unknown fields": (nonce) => `{ chats { ${times(1900, (index) => `unknown${index}`)} } } # ${nonce}`,
  "unknown arguments": (nonce) =>
    `{ ${times(99, (index) => `a${index}: chat(id: ${index}, x: 1) { idd }`)} } # ${nonce}`,
  "errors at the end of many lines": (nonce) =>
    `{ chats { ${"\r\n".repeat(1990)} ${times(25, (index) => `unknown${index}`)} } } # ${nonce}`,
  "unknown directives": (nonce) => `{ me { id ${times(900, (index) => `@d${index}`)} } } # ${nonce}`,
  "unused variables": (nonce) => `query (${times(490, (index) => `$v${index}: ID`)}) { me { id } } # ${nonce}`,
  "an object for an id": (nonce) => `{ chat(id: {${times(600, (index) => `a${index}: 1`)}}) { id } } # ${nonce}`,
  "fragments that spread all later ones": (nonce) =>
    `{ ...F0 } ${times(30, (index) => `fragment F${index} on Query { ${times(29 - index, (other) => `...F${index + other + 1}`)} x }`)} # ${nonce}`,
};

describe("a document is refused with OPERATION_LIMIT for", () => {
  test.each(Object.entries(EXPENSIVE))("%s", (_what, make) => {
    expect(new Documents(buildSchema(), true).read(make(0))).toMatchObject({
      errors: [{ extensions: { code: "OPERATION_LIMIT" } }],
    });
  });

  test("any of these, over each transport, and nobody else feels it", async () => {
    await using gateway = await startGateway();
    await using attacker = await openGraphQLSocket(gateway.wsUrl, alice.token);
    await using control = connect(gateway.wsUrl, bob.token);
    await using received = control.subscribe(MessageAddedDocument);
    await control.run(ChatsDocument);
    for (const [index, make] of Object.values(EXPENSIVE).entries()) {
      // As much of the longest as a message may have.
      const query = make(0).slice(0, 55_000);
      const overWebSocket = await attacker.start({ query }).ended;
      const overHttp = await postOperation(gateway.url, { query: `${query} ` }, alice.token);
      expect([...overWebSocket, ...(overHttp.errors ?? [])].map(({ extensions }) => extensions)).toEqual([
        { code: "OPERATION_LIMIT" },
        { code: "OPERATION_LIMIT" },
      ]);
      await control.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: `message ${index}` });
      expect((await received.next()).messageAdded.content).toBe(`message ${index}`);
    }
    expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});

/** Milliseconds of processor time that one of fifty documents takes, each with another text. */
function cpuMsOf(make: (nonce: number) => string): number {
  const documents = new Documents(buildSchema(), true);
  for (let nonce = 0; nonce < 20; nonce++) documents.read(make(nonce));
  const before = process.threadCpuUsage();
  for (let nonce = 1000; nonce < 1050; nonce++) documents.read(make(nonce));
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 50_000;
}

test("no document costs much more to refuse than an ordinary one of its size costs to validate", () => {
  // Ten fields in each of thirty chats: as many tokens as the limit allows, and nothing twice.
  const ordinary = (nonce: number): string =>
    `{ ${times(30, (index) => `c${index}: chat(id: "${index}") { id title createdAt updatedAt unreadCount lastMessage { id content createdAt readAt } }`)} } # ${nonce}`;
  let ordinaryMs = cpuMsOf(ordinary);
  const ratioOf = (make: (nonce: number) => string): number => {
    let ratio = cpuMsOf(make) / ordinaryMs;
    // The processor's pace depends on what others do beside it: both are measured again, one right after the other.
    for (let attempt = 0; ratio > 4 && attempt < 4; attempt++) {
      ordinaryMs = cpuMsOf(ordinary);
      ratio = cpuMsOf(make) / ordinaryMs;
    }
    return ratio;
  };
  const relative = Object.entries({ ...EXPENSIVE, ...WRONG }).map(([what, make]) => ({ what, times: ratioOf(make) }));
  expect(relative.filter(({ times: ratio }) => ratio > 4)).toEqual([]);
  const documents = new Documents(buildSchema(), true);
  for (const make of Object.values(WRONG)) {
    const parsed = documents.read(make(0));
    const codes = "errors" in parsed ? parsed.errors.map(({ extensions }) => extensions["code"]) : [];
    expect(new Set(codes)).toEqual(new Set(["GRAPHQL_VALIDATION_FAILED"]));
  }
});

test("a text that was refused is not read again", () => {
  const documents = new Documents(buildSchema(), true);
  const query = `{ ${times(15, (index) => `unknown${index}`)} }`;
  const first = documents.read(query) as { errors: readonly object[] };
  const second = documents.read(query) as { errors: readonly { nodes?: unknown }[] };
  // With the places of the errors, and without the syntax tree.
  expect(second).toEqual(first);
  expect(JSON.stringify(second)).toBe(JSON.stringify(first));
  expect(second.errors.every(({ nodes }) => nodes === undefined)).toBe(true);
});

test("the introspection query of stock tools is answered where it is allowed, with and without a token", async () => {
  await using gateway = await startGateway({ INTROSPECTION: "true" });
  const query = getIntrospectionQuery({
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  });
  for (const token of [alice.token, undefined]) {
    const { data, errors } = await postOperation(gateway.url, { query }, token);
    expect(errors).toBeUndefined();
    expect(data).toHaveProperty("__schema");
  }
});

test("who has no valid token may ask for the schema as often as anybody at the same address", async () => {
  await using gateway = await startGateway({ INTROSPECTION: "true", RATE_LIMIT_OPERATIONS: "2/1m" });
  const ask = (token?: string): ReturnType<typeof postOperation> =>
    postOperation(gateway.url, { query: "{ __schema { queryType { name } } }" }, token);
  for (const token of [undefined, "made-up"]) expect((await ask(token)).errors).toBeUndefined();
  for (const token of [undefined, "made-up"]) {
    expect(await ask(token)).toMatchObject({ status: 429, errors: [{ extensions: { code: "RATE_LIMITED" } }] });
  }
  expect((await ask(alice.token)).errors).toBeUndefined();
});

test.each([
  ["no token", undefined],
  ["a refused token", "made-up"],
])("over HTTP with %s nothing is validated: what is wrong with a document nobody is told", async (_what, token) => {
  await using gateway = await startGateway();
  for (const query of ["{ nothing }", "{ me { nothing } }", "{ ...F } fragment F on Query { __schema { nothing } }"]) {
    expect(codesOf((await postOperation(gateway.url, { query }, token)).errors)).toEqual(["UNAUTHENTICATED"]);
  }
  expect(codesOf((await postOperation(gateway.url, { query: "{ nothing }" }, alice.token)).errors)).toEqual([
    "GRAPHQL_VALIDATION_FAILED",
  ]);
});

test("null for a variable with a default is refused when a subscription begins, not at its first event", async () => {
  await using gateway = await startGateway();
  await using attacker = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const query = "subscription ($if: Boolean = true) { messageAdded { id @include(if: $if) content } }";
  await using control = connect(gateway.wsUrl, bob.token);
  // The same document with another value was admitted before.
  const admitted = attacker.start({ query, variables: { if: true } });
  await attacker.run({ query: "{ chats { id } }" });
  const refused = await attacker.start({ query, variables: { if: null } }).ended;
  expect(refused.map(({ extensions }) => extensions)).toEqual([{ code: "BAD_USER_INPUT", argument: "if" }]);
  await control.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "hello" });
  expect(await admitted.next()).toContain("hello");
  expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
});
