/** Documents that are sent as a hash, by the links of stock clients, with a file of trusted documents and without. */
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client/core";
import { SetContextLink } from "@apollo/client/link/context";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client as UrqlClient, fetchExchange, subscriptionExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { OperationTypeNode, type DocumentNode } from "graphql";
import { createClient as createEventSource } from "graphql-sse";
import type { Sink } from "graphql-ws";
import { describe, expect, test } from "vitest";
import { openSocket } from "../clients/stock-clients.ts";
import { startDiscreetGateway, type DiscreetGateway } from "../support/discreet.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { Queue } from "../support/queue.ts";

/** As codegen writes it. */
const FILE = "tests/support/generated/persisted-documents.json";

/** The hash that codegen has put into a document. */
function hashOf(document: DocumentNode): string {
  const { __meta__: meta } = document as DocumentNode & { readonly __meta__?: { readonly hash: string } };
  if (!meta) throw new Error("codegen writes no hashes");
  return meta.hash;
}

/** `fetch`, and what of each request says which document is meant. */
class Requests {
  readonly sent: ("hash" | "text")[] = [];
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { body } = init;
    const url = new URL(input instanceof Request ? input.url : input);
    const parameters = typeof body === "string" ? (JSON.parse(body) as object) : Object.fromEntries(url.searchParams);
    this.sent.push("query" in parameters && parameters.query !== undefined ? "text" : "hash");
    return fetch(input, init);
  };
}

interface Scene extends AsyncDisposable {
  readonly gateway: DiscreetGateway;
  readonly requests: Requests;
  readonly endpoint: { readonly url: string; readonly wsUrl: string; readonly token: () => string };
}

async function start(environment: Readonly<Record<string, string>>): Promise<Scene> {
  const gateway = await startDiscreetGateway(environment);
  const { url, wsUrl } = gateway;
  const token = (): string => gateway.api.users[0]?.token ?? "";
  return {
    gateway,
    requests: new Requests(),
    endpoint: { url, wsUrl, token },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

interface Started extends AsyncDisposable {
  readonly me: () => Promise<unknown>;
  readonly send: (content: string) => Promise<unknown>;
  readonly contents: Queue<unknown>;
}

/** Everything goes through the one link, as in Apollo's documentation; subscriptions and what `split` says go over the socket. */
function startApollo({ gateway, endpoint, requests }: Scene, useGETForHashedQueries: boolean): Started {
  const socket = openSocket(endpoint);
  const authorized = new SetContextLink(() => ({ headers: { authorization: `Bearer ${endpoint.token()}` } }));
  const persisted = new PersistedQueryLink({ generateHash: hashOf, useGETForHashedQueries });
  const transport = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    authorized.concat(new HttpLink({ uri: endpoint.url, fetch: requests.fetch })),
  );
  const client = new ApolloClient({
    link: persisted.concat(transport),
    cache: new InMemoryCache(),
    // Its cache needs `__typename`, which these documents do not select.
    defaultOptions: {
      watchQuery: { fetchPolicy: "no-cache" },
      query: { fetchPolicy: "no-cache" },
      mutate: { fetchPolicy: "no-cache" },
    },
  });
  const contents = new Queue<unknown>();
  const subscription = client.subscribe({ query: MessageAddedDocument, fetchPolicy: "no-cache" }).subscribe({
    next: ({ data, error }) => (error ? contents.end(error) : contents.push(data?.messageAdded.content)),
  });
  return {
    me: async () => (await client.query({ query: MeDocument })).data?.me.id,
    send: (content) => {
      const variables = { chatId: gateway.api.demoChatId, content };
      return client.mutate({ mutation: SendMessageDocument, variables });
    },
    contents,
    async [Symbol.asyncDispose]() {
      subscription.unsubscribe();
      client.stop();
      await socket.dispose();
    },
  };
}

function startUrql({ gateway, endpoint, requests }: Scene): Started {
  const socket = openSocket(endpoint);
  const client = new UrqlClient({
    url: endpoint.url,
    fetch: requests.fetch,
    exchanges: [
      persistedExchange({
        generateHash: async (_text, document) => hashOf(document),
        enableForMutation: true,
        enableForSubscriptions: true,
      }),
      subscriptionExchange({
        forwardSubscription: ({ query = "", variables = {}, extensions = {} }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables, extensions }, sink as Sink) }),
        }),
      }),
      fetchExchange,
    ],
    fetchOptions: () => ({ headers: { authorization: `Bearer ${endpoint.token()}` } }),
    preferGetMethod: false,
  });
  const contents = new Queue<unknown>();
  const subscription = client
    .subscription(MessageAddedDocument, {})
    .subscribe(({ data, error }) => (error ? contents.end(error) : contents.push(data?.messageAdded.content)));
  return {
    me: async () => (await client.query(MeDocument, {}, { requestPolicy: "network-only" })).data?.me.id,
    send: async (content) => {
      const { error } = await client.mutation(SendMessageDocument, { chatId: gateway.api.demoChatId, content });
      if (error) throw error;
    },
    contents,
    async [Symbol.asyncDispose]() {
      subscription.unsubscribe();
      await socket.dispose();
    },
  };
}

const CLIENTS: readonly (readonly [name: string, start: (scene: Scene) => Started])[] = [
  ["Apollo Client", (scene) => startApollo(scene, false)],
  ["Apollo Client with GET", (scene) => startApollo(scene, true)],
  ["urql", startUrql],
];

/** Sends until the subscription, which nobody can see begin, has begun. */
async function firstContent({ send, contents }: Started): Promise<unknown> {
  const first = contents.next();
  const arrival = { isPending: true };
  const settled = first.finally(() => (arrival.isPending = false));
  for (let count = 0; arrival.isPending; count++) await send(`message ${count}`);
  return settled;
}

describe.each(CLIENTS)("%s", (_name, startClient) => {
  test("sends hashes alone where they are trusted", async () => {
    await using scene = await start({ TRUSTED_DOCUMENTS: FILE });
    await using client = startClient(scene);
    expect(await client.me()).toBe(scene.gateway.api.users[0]?.id);
    expect(await firstContent(client)).toMatch(/^message \d+$/);
    expect(new Set(scene.requests.sent)).toEqual(new Set(["hash"]));
  });

  test("sends texts again where there are no trusted documents", async () => {
    await using scene = await start({});
    await using client = startClient(scene);
    expect(await client.me()).toBe(scene.gateway.api.users[0]?.id);
    expect(scene.requests.sent).toEqual(["hash", "text"]);
    expect(await firstContent(client)).toMatch(/^message \d+$/);
    expect(scene.gateway.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});

test("graphql-sse names its document by documentId", async () => {
  await using scene = await start({ TRUSTED_DOCUMENTS: FILE });
  const headers = (): Record<string, string> => ({ authorization: `Bearer ${scene.endpoint.token()}` });
  const source = createEventSource({ url: scene.endpoint.url, headers });
  const request = { documentId: hashOf(MessageAddedDocument), query: undefined } as unknown as { query: string };
  const results = source.iterate<{ messageAdded: { content: string } }>(request);
  const contents = new Queue<unknown>();
  const read = async (): Promise<void> => {
    for await (const { data } of results) contents.push(data?.messageAdded.content);
  };
  const reading = read();
  await using client = startUrql(scene);
  expect(await firstContent({ ...client, contents })).toMatch(/^message \d+$/);
  source.dispose();
  await reading;
});
