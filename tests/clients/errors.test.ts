import { CombinedGraphQLErrors } from "@apollo/client/core";
import type { CombinedError } from "@urql/core";
import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MarkReadDocument,
  MessageAddedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { Queue } from "../support/queue.ts";
import { createApollo, createUrql, openSocket, STOCK_CLIENTS, type StockClient } from "./stock-clients.ts";

/** The GraphQL errors in what a client has rejected with: not a failure of the network or of the transport for it. */
function graphQLErrors(error: unknown): readonly unknown[] {
  if (CombinedGraphQLErrors.is(error)) return error.errors;
  if (error instanceof Error && error.name === "CombinedError") {
    const { networkError, graphQLErrors: errors } = error as CombinedError;
    if (networkError) throw networkError;
    return errors.map(({ message, path, extensions }) => ({ message, path, extensions }));
  }
  throw error;
}

const CODE = expect.any(String) as string;

interface Failure {
  readonly code: string;
  readonly because: string;
  readonly arrange?: (gateway: TestGateway) => void;
  readonly run: (client: StockClient, gateway: TestGateway) => Promise<unknown>;
  readonly error: object;
}

const FAILURES: readonly Failure[] = [
  {
    code: "BAD_USER_INPUT",
    because: "a message is empty",
    run: (client, { api }) => client.run(SendMessageDocument, { chatId: api.demoChatId, content: " " }),
    error: { path: ["sendMessage"], extensions: { code: "BAD_USER_INPUT", argument: "content" } },
  },
  {
    code: "NOT_FOUND",
    because: "there is no such message",
    run: (client, { api }) => client.run(MarkReadDocument, { chatId: api.demoChatId, messageId: "none" }),
    error: { path: ["markRead"], extensions: { code: "NOT_FOUND" } },
  },
  {
    code: "UPSTREAM_UNAVAILABLE",
    because: "the REST API is down",
    arrange: ({ api }) => void api.faults.unavailable({ method: "POST" }),
    run: (client, { api }) => client.run(SendMessageDocument, { chatId: api.demoChatId, content: "Hello" }),
    error: { path: ["sendMessage"], extensions: { code: "UPSTREAM_UNAVAILABLE", requestId: CODE } },
  },
  {
    code: "GRAPHQL_VALIDATION_FAILED",
    because: "the document does not fit the schema",
    run: (client) => client.run(parse("query Wrong { me { shoeSize } }")),
    error: { extensions: { code: "GRAPHQL_VALIDATION_FAILED" } },
  },
];

const COMPLETE_CLIENTS = STOCK_CLIENTS.filter(({ name }) => !name.startsWith("graphql-ws"));

describe.each(COMPLETE_CLIENTS)("$name", ({ connect: connectStock }) => {
  test.each(FAILURES)("tells $code, when $because, as a GraphQL error", async ({ arrange, run, error }) => {
    await using gateway = await startGateway({ HTTP_API_RETRIES: "1" });
    await using client = connectStock({ ...gateway, token: () => "alice-token" });
    arrange?.(gateway);
    const failure: unknown = await run(client, gateway).catch((thrown: unknown) => thrown);
    expect(graphQLErrors(failure)).toEqual([expect.objectContaining({ message: expect.any(String), ...error })]);
  });

  test("tells that a subscription was refused, and its other subscription goes on without an error", async () => {
    await using gateway = await startGateway();
    const chatId = gateway.api.demoChatId;
    await using friend = connect(gateway.wsUrl, "bob-token");
    await using client = connectStock({ ...gateway, token: () => "alice-token" });
    const messages = client.subscribe(MessageAddedDocument, { chatId });
    await client.settled();
    const first = await friend.run(SendMessageDocument, { chatId, content: "Before" });
    expect((await messages.next()).messageAdded).toMatchObject(first.sendMessage);

    const refused = client.subscribe(MessageAddedDocument, { chatId: DEMO_CHATS.pair });
    const failure: unknown = await refused.next().catch((thrown: unknown) => thrown);
    expect(graphQLErrors(failure)).toEqual([
      expect.objectContaining({ message: expect.any(String), extensions: { code: "NOT_PARTICIPANT" } }),
    ]);
    await expect(client.run(SendMessageDocument, { chatId, content: "" })).rejects.toThrow(Error);

    const second = await friend.run(SendMessageDocument, { chatId, content: "After" });
    expect((await messages.next()).messageAdded).toMatchObject(second.sendMessage);
    await client.run(ChatsDocument);
  });
});

test("Apollo Client over HTTP tells that a token is refused as a GraphQL error", async () => {
  await using gateway = await startGateway();
  const endpoint = { ...gateway, token: () => "nobody's" };
  await using socket = asDisposable(openSocket(endpoint));
  const failure: unknown = await createApollo(endpoint, socket)
    .query({ query: ChatsDocument })
    .catch((thrown: unknown) => thrown);
  expect(graphQLErrors(failure)).toMatchObject([{ extensions: { code: "UNAUTHENTICATED" } }]);
});

test("Apollo Client completes a refused subscription after one result with the error", async () => {
  await using gateway = await startGateway();
  const endpoint = { ...gateway, token: () => "alice-token" };
  await using socket = asDisposable(openSocket(endpoint));
  const seen = new Queue<unknown>();
  createApollo(endpoint, socket)
    .subscribe({ query: MessageAddedDocument, variables: { chatId: DEMO_CHATS.pair } })
    .subscribe({ next: (result) => seen.push(result), complete: () => seen.push("completed") });
  expect(await seen.next()).toEqual({ data: undefined, error: expect.any(CombinedGraphQLErrors) });
  expect(await seen.next()).toBe("completed");
});

test("urql ends a refused subscription after one result with the error, and starts it anew when asked again", async () => {
  await using gateway = await startGateway();
  const chatId = gateway.api.data.createChat({ participants: [String(gateway.api.users[1]?.id)] }).id;
  const endpoint = { ...gateway, token: () => "alice-token" };
  await using socket = asDisposable(openSocket(endpoint));
  const urql = createUrql(endpoint, socket, true);
  const subscribe = () => {
    const seen = new Queue<unknown>();
    const source = urql.subscription(MessageAddedDocument, { chatId });
    return { seen, ...source.subscribe(({ data, error }) => seen.push({ data, error })) };
  };
  const refused = { data: undefined, error: { graphQLErrors: [{ extensions: { code: "NOT_PARTICIPANT" } }] } };
  const before = subscribe();
  expect(await before.seen.next()).toMatchObject(refused);
  before.unsubscribe();

  gateway.api.data.addMember(chatId, String(gateway.api.users[0]?.id));
  const accepted = subscribe();
  await urql.query(ChatsDocument, {});
  const { data } = await urql.mutation(SendMessageDocument, { chatId, content: "Now I am in" });
  expect(await accepted.seen.next()).toEqual({ data: { messageAdded: data?.sendMessage }, error: undefined });
});

function asDisposable<T extends { dispose: () => void | Promise<void> }>(value: T): T & AsyncDisposable {
  return Object.assign(value, { [Symbol.asyncDispose]: async () => value.dispose() });
}
