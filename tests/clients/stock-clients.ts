/** The clients that frontends use, set up as their own documentation says, behind one interface so that one test speaks to all. */
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client/core";
import { SetContextLink } from "@apollo/client/link/context";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { Client as UrqlClient, fetchExchange, subscriptionExchange, type Exchange } from "@urql/core";
import { OperationTypeNode, print } from "graphql";
import { createClient, type Client as SocketClient, type Sink } from "graphql-ws";
import { ChatsDocument } from "../support/generated/graphql.ts";
import { Queue } from "../support/queue.ts";

export interface Endpoint {
  readonly url: string;
  readonly wsUrl: string;
  /** Asked at every connect, and at every HTTP request. */
  readonly token: () => string;
}

type Variables = Record<string, unknown>;

export interface StockClient extends AsyncDisposable {
  /** Runs a query or mutation. Rejects with the error that the client gives. */
  run<Data, V extends Variables>(document: TypedDocumentNode<Data, V>, variables?: V): Promise<Data>;
  /** The results of a subscription; the queue ends with the error that the client gives. */
  subscribe<Data, V extends Variables>(document: TypedDocumentNode<Data, V>, variables?: V): Queue<Data>;
  /** Resolves when every subscription before it stands: what is published from then on arrives. */
  settled(): Promise<void>;
}

/** A socket that comes back at once, as often as it takes. */
export function openSocket({ wsUrl, token }: Endpoint): SocketClient {
  return createClient({
    url: wsUrl,
    connectionParams: () => ({ token: token() }),
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: () => Promise.resolve(),
  });
}

/** A query that the REST API has to answer, over the same socket. */
async function settle(socket: SocketClient): Promise<void> {
  for await (const { errors } of socket.iterate({ query: print(ChatsDocument) })) {
    if (errors) throw new Error(JSON.stringify(errors));
  }
}

/** Queries and mutations over HTTP, subscriptions over the socket. */
export function createApollo(endpoint: Endpoint, socket: SocketClient): ApolloClient {
  const authorized = new SetContextLink(() => ({ headers: { authorization: `Bearer ${endpoint.token()}` } }));
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    authorized.concat(new HttpLink({ uri: endpoint.url })),
  );
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

function connectApollo(endpoint: Endpoint): StockClient {
  const socket = openSocket(endpoint);
  const client = createApollo(endpoint, socket);
  return {
    async run<Data>(document: TypedDocumentNode<Data>, variables: Variables = {}) {
      const isMutation = print(document).startsWith("mutation");
      const { data } = isMutation
        ? await client.mutate({ mutation: document, variables })
        : await client.query({ query: document, variables, fetchPolicy: "network-only" });
      return data as Data;
    },
    subscribe<Data>(query: TypedDocumentNode<Data>, variables: Variables = {}) {
      const queue = new Queue<Data>();
      client.subscribe<Data>({ query, variables }).subscribe({
        next: ({ data, error }) => (error ? queue.end(error) : queue.push(data as Data)),
        complete: () => queue.end(),
      });
      return queue;
    },
    settled: () => settle(socket),
    async [Symbol.asyncDispose]() {
      client.stop();
      await socket.dispose();
    },
  };
}

/** @param everything whether queries and mutations take the socket too. */
export function createUrql({ url, token }: Endpoint, socket: SocketClient, everything: boolean): UrqlClient {
  const overSocket: Exchange = subscriptionExchange({
    enableAllOperations: everything,
    forwardSubscription: ({ query = "", variables = {} }) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink as Sink) }),
    }),
  });
  return new UrqlClient({
    url,
    exchanges: everything ? [overSocket] : [overSocket, fetchExchange],
    fetchOptions: () => ({ headers: { authorization: `Bearer ${token()}` } }),
    preferGetMethod: false,
  });
}

function connectUrql(endpoint: Endpoint, everything: boolean): StockClient {
  const socket = openSocket(endpoint);
  const client = createUrql(endpoint, socket, everything);
  return {
    async run<Data>(document: TypedDocumentNode<Data>, variables: Variables = {}) {
      const isMutation = print(document).startsWith("mutation");
      const { data, error } = await (isMutation
        ? client.mutation(document, variables)
        : client.query(document, variables));
      if (error) throw error;
      return data as Data;
    },
    subscribe<Data>(document: TypedDocumentNode<Data>, variables: Variables = {}) {
      const queue = new Queue<Data>();
      client
        .subscription(document, variables)
        .subscribe(({ data, error }) => (error ? queue.end(error) : queue.push(data as Data)));
      return queue;
    },
    settled: () => settle(socket),
    [Symbol.asyncDispose]: async () => {
      await socket.dispose();
    },
  };
}

/** The socket client alone, on the WebSocket that the runtime itself has, as in a browser. */
export function connectGraphqlWs(socket: SocketClient): StockClient {
  return {
    async run<Data>(document: TypedDocumentNode<Data>, variables: Variables = {}) {
      for await (const { data, errors } of socket.iterate<Data>({ query: print(document), variables })) {
        if (errors) throw new Error(JSON.stringify(errors));
        if (data) return data;
      }
      throw new Error("completed without a result");
    },
    subscribe<Data>(document: TypedDocumentNode<Data>, variables: Variables = {}) {
      const queue = new Queue<Data>();
      socket.subscribe<Data>(
        { query: print(document), variables },
        {
          next: ({ data }) => queue.push(data as Data),
          error: (error) => queue.end(new Error(JSON.stringify(error))),
          complete: () => queue.end(),
        },
      );
      return queue;
    },
    settled: () => settle(socket),
    [Symbol.asyncDispose]: async () => {
      await socket.dispose();
    },
  };
}

export const STOCK_CLIENTS: readonly { readonly name: string; readonly connect: (to: Endpoint) => StockClient }[] = [
  { name: "Apollo Client, HTTP and socket", connect: connectApollo },
  { name: "urql, HTTP and socket", connect: (to) => connectUrql(to, false) },
  { name: "urql, everything over the socket", connect: (to) => connectUrql(to, true) },
  { name: "graphql-ws on the runtime's own WebSocket", connect: (to) => connectGraphqlWs(openSocket(to)) },
];
