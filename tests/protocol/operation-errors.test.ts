/** What is wrong with one operation ends that operation and nothing else: the socket and its other operations stay. */
import type { GraphQLFormattedError } from "graphql";
import type { Client, SubscribePayload } from "graphql-ws";
import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { postOperation } from "../support/http.ts";

/** The errors with which an operation ends, whether they come in its result or in its place. */
async function errorsOf(client: Client, payload: SubscribePayload): Promise<readonly GraphQLFormattedError[]> {
  const outcome = Promise.withResolvers<readonly GraphQLFormattedError[]>();
  client.subscribe(payload, {
    next: ({ errors }) => {
      if (errors) outcome.resolve(errors);
      else outcome.reject(new Error("the operation has a result without errors"));
    },
    error: (error) => {
      if (Array.isArray(error)) outcome.resolve(error as GraphQLFormattedError[]);
      else outcome.reject(new Error("the socket was closed", { cause: error }));
    },
    complete: () => outcome.reject(new Error("the operation has ended without a result")),
  });
  return outcome.promise;
}

/** Each page of messages is as long as one may be; together they are more than one operation may ask for. */
const DEAR = ["a", "b", "c"]
  .map((alias) => `${alias}: chats { messages(last: 500) { nodes { sender { id name } } } }`)
  .join(" ");

type Row = readonly [what: string, payload: SubscribePayload, extensions: Readonly<Record<string, unknown>>];

const PARSE = { code: "GRAPHQL_PARSE_FAILED" };
const VALIDATION = { code: "GRAPHQL_VALIDATION_FAILED" };
const LIMIT = { code: "OPERATION_LIMIT" };

const ROWS: readonly Row[] = [
  ["a syntax error", { query: "{ chats { id }" }, PARSE],
  ["an empty query", { query: "" }, PARSE],
  ["a query of comments alone", { query: "# nothing" }, PARSE],
  ["a character that GraphQL does not have", { query: "{ chats { id } } %" }, PARSE],
  ["a document without an operation", { query: "fragment A on Chat { id }" }, VALIDATION],
  ["a definition of a type", { query: "type Query { a: Int } query { chats { id } }" }, VALIDATION],
  ["an unknown field", { query: "{ nothing }" }, VALIDATION],
  ["fields that are missing", { query: "{ chats }" }, VALIDATION],
  ["a cycle of fragments", { query: "{ chats { ...A } } fragment A on Chat { ...A }" }, VALIDATION],
  [
    "two root fields in a subscription",
    { query: "subscription { messageAdded { id } readReceipt { chatId } }" },
    VALIDATION,
  ],
  ["a field's wrong argument", { query: '{ chat(id: "1") { messages(last: "x") { nodes { id } } } }' }, VALIDATION],
  ["20,000 nested braces", { query: "{a".repeat(20_000) }, LIMIT],
  ["20,000 nested brackets", { query: `{ chat(id: ${"[".repeat(20_000)}` }, LIMIT],
  ["just too few nested braces for that", { query: "{a".repeat(990) + "}".repeat(20) }, PARSE],
  ["950 levels of nesting", { query: `${"{a".repeat(600)}${"}".repeat(600)}` }, VALIDATION],
  ["over 2,000 tokens", { query: `{ ${"chats { id } ".repeat(500)} }` }, LIMIT],
  ["too much at once", { query: `{ ${DEAR} }` }, LIMIT],
  ["too much at once in a fragment", { query: `{ ...A } fragment A on Query { ${DEAR} }` }, LIMIT],
  [
    "too much at once in the operation that is asked for, beside a cheap one",
    { query: `query Cheap { __typename } query Dear { ${DEAR} }`, operationName: "Dear" },
    LIMIT,
  ],
  [
    "too much at once beside what costs less than nothing",
    { query: `{ less: chats { messages(last: -1000000) { nodes { id } } } ${DEAR} }` },
    LIMIT,
  ],
  [
    "too much at once beside an argument without a value",
    {
      query: `query ($n: Int) { none: chats { messages(last: $n) { nodes { id } } } ${DEAR} }`,
      variables: { n: null },
    },
    { code: "BAD_USER_INPUT", argument: "n" },
  ],
  ["an operationName that is not there", { query: "query A { chats { id } }", operationName: "B" }, VALIDATION],
  ["several operations and no operationName", { query: "query A { chats { id } } query B { me { id } }" }, VALIDATION],
  [
    "a variable of the wrong type",
    { query: "query ($id: ID!) { chat(id: $id) { id } }", variables: { id: { of: "x" } } },
    { code: "BAD_USER_INPUT", argument: "id" },
  ],
  [
    "a variable that is missing",
    { query: "query ($id: ID!) { chat(id: $id) { id } }" },
    { code: "BAD_USER_INPUT", argument: "id" },
  ],
  [
    "a variable of the wrong type in a subscription",
    { query: "subscription ($id: ID) { messageAdded(chatId: $id) { id } }", variables: { id: [] } },
    { code: "BAD_USER_INPUT", argument: "id" },
  ],
  [
    "null for an argument that has a default",
    { query: 'query ($id: ID = "x") { chat(id: $id) { id } }', variables: { id: null } },
    { code: "BAD_USER_INPUT", argument: "id" },
  ],
  [
    "null for the condition of a field",
    { query: "query ($if: Boolean = true) { chats { id @include(if: $if) } }", variables: { if: null } },
    { code: "BAD_USER_INPUT", argument: "if" },
  ],
];

describe("over WebSocket an operation alone is ended by", () => {
  test.each(ROWS)("%s", async (_what, payload, extensions) => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using client = connect(gateway.wsUrl, alice?.token);
    await using control = connect(gateway.wsUrl, bob?.token);
    await using messages = client.subscribe(MessageAddedDocument);
    await client.run(ChatsDocument);
    const errors = await errorsOf(client.client, payload);
    expect(errors.map((error) => error.extensions)).toEqual(errors.map(() => extensions));
    const { sendMessage } = await control.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "hi" });
    expect((await messages.next()).messageAdded).toEqual(sendMessage);
    expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});

describe("over HTTP the same errors are the answer to", () => {
  test.each(ROWS)("%s", async (_what, payload, extensions) => {
    await using gateway = await startDiscreetGateway();
    const { query, variables, operationName } = payload;
    const operation = { query, ...(variables && { variables }), ...(operationName && { operationName }) };
    const headers = {
      accept: payload.query.startsWith("subscription") ? "text/event-stream, application/json" : "application/json",
    };
    const { errors } = await postOperation(gateway.url, operation, gateway.api.users[0]?.token, headers);
    expect(errors).not.toHaveLength(0);
    expect(errors?.map((error) => error.extensions)).toEqual(errors?.map(() => extensions));
  });
});

test("what an operation costs is computed with its variables each time", async () => {
  await using gateway = await startDiscreetGateway();
  await using client = connect(gateway.wsUrl, gateway.api.users[0]?.token);
  const query = "query ($n: Int! = 1000000) { chats { messages(last: $n) { nodes { sender { id name } } } } }";
  const answered = Promise.withResolvers<unknown>();
  client.client.subscribe(
    { query, variables: { n: 1 } },
    {
      next: ({ data }) => answered.resolve(data),
      error: answered.reject,
      complete: () => undefined,
    },
  );
  expect(await answered.promise).toMatchObject({ chats: expect.any(Array) });
  for (const variables of [{ n: 100_000 }, {}]) {
    const [error] = await errorsOf(client.client, { query, variables });
    expect(error?.extensions).toEqual(LIMIT);
  }
});

test("over MAX_SUBSCRIPTIONS a subscription is refused, and there is room again when one is completed", async () => {
  await using gateway = await startDiscreetGateway({ MAX_SUBSCRIPTIONS: "2" });
  const [alice, bob] = gateway.api.users;
  await using client = connect(gateway.wsUrl, alice?.token);
  await using control = connect(gateway.wsUrl, bob?.token);
  await using first = client.subscribe(MessageAddedDocument);
  await using second = client.subscribe(MessageAddedDocument);
  await using refused = client.subscribe(MessageAddedDocument);
  expect((await refused.ended).map((error) => error.extensions)).toEqual([LIMIT]);
  second.stop();
  await using third = client.subscribe(MessageAddedDocument);
  // Another connection has its own allowance.
  await using elsewhere = control.subscribe(MessageAddedDocument);
  await Promise.all([client.run(ChatsDocument), control.run(ChatsDocument)]);
  const { sendMessage } = await control.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "hi" });
  for (const stream of [first, third, elsewhere]) expect((await stream.next()).messageAdded).toEqual(sendMessage);
  await using again = client.subscribe(MessageAddedDocument);
  expect((await again.ended).map((error) => error.extensions)).toEqual([LIMIT]);
});

test("a subscription that may not start takes no room", async () => {
  await using gateway = await startDiscreetGateway({ MAX_SUBSCRIPTIONS: "1" });
  const [alice] = gateway.api.users;
  await using client = connect(gateway.wsUrl, alice?.token);
  for (let attempt = 0; attempt < 3; attempt++) {
    await using nowhere = client.subscribe(MessageAddedDocument, { chatId: "nowhere" });
    expect((await nowhere.ended).map((error) => error.extensions)).toEqual([{ code: "NOT_FOUND" }]);
  }
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const { sendMessage } = await client.run(SendMessageDocument, { chatId: gateway.api.demoChatId, content: "hi" });
  expect((await messages.next()).messageAdded).toEqual(sendMessage);
});

describe("with INTROSPECTION=false", () => {
  test.each([
    ["the schema", "{ __schema { types { name } } }"],
    ["a type", '{ __type(name: "Chat") { name } }'],
    ["a field that nearly exists", "{ chat { id } mee { id } }"],
    ["an argument that nearly exists", '{ chat(idd: "1") { id } }'],
    ["a type that nearly exists", "{ ...A } fragment A on Queri { chats { id } }"],
    ["a type of a variable that nearly exists", "query ($a: Strin) { chats { id } }"],
    ["a directive that nearly exists", "{ chats { id @includ(if: true) } }"],
    ["fields without a selection", "{ chats }"],
  ])("%s is refused without a hint", async (_what, query) => {
    await using gateway = await startDiscreetGateway({ INTROSPECTION: "false" });
    const [alice] = gateway.api.users;
    await using client = connect(gateway.wsUrl, alice?.token);
    const overHttp = await postOperation(gateway.url, { query }, alice?.token);
    for (const errors of [await errorsOf(client.client, { query }), overHttp.errors ?? []]) {
      expect(errors).not.toHaveLength(0);
      expect(errors.map((error) => error.extensions)).toEqual(errors.map(() => VALIDATION));
      expect(JSON.stringify(errors)).not.toMatch(/did you mean/i);
    }
    const { data } = await postOperation(gateway.url, { query: "{ __typename me { __typename } }" }, alice?.token);
    expect(data).toEqual({ __typename: "Query", me: { __typename: "Me" } });
  });

  test("and with INTROSPECTION=true both are there", async () => {
    await using gateway = await startDiscreetGateway({ INTROSPECTION: "true" });
    const { data } = await postOperation(gateway.url, { query: '{ __type(name: "Chat") { name } }' });
    expect(data).toEqual({ __type: { name: "Chat" } });
    const { errors } = await postOperation(gateway.url, { query: "{ mee { id } }" }, gateway.api.users[0]?.token);
    expect(errors?.[0]?.message).toMatch(/Did you mean "me"\?/);
  });
});
