/** Stock graphql-ws clients, with what they receive in queues that a test can wait for. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print, type GraphQLFormattedError } from "graphql";
import { createClient, type Client, type ClientOptions } from "graphql-ws";
import { WebSocket } from "ws";

/** What a subscription has received, in order. */
export interface Received<Data> extends AsyncDisposable {
  /** The next event. Rejects where the subscription ends instead. */
  next(): Promise<Data>;
  /** What has arrived and was not taken yet. */
  readonly waiting: readonly Data[];
  /** Resolves when the subscription has ended by itself: to its errors, or to none where it was completed. */
  readonly ended: Promise<readonly GraphQLFormattedError[]>;
  /** Completes it from the client's side. */
  stop(): void;
}

export interface TestClient extends AsyncDisposable {
  readonly client: Client;
  /** Resolves to the payload of `connection_ack`. */
  readonly acknowledged: Promise<Record<string, unknown>>;
  /** Resolves to the code and reason with which the socket was closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Runs a query or mutation. Rejects with a {@link ResultErrors} where the result has errors. */
  run<Data, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables?: Variables,
  ): Promise<Data>;
  /** Subscribes. What is published after the next answered operation of this client arrives. */
  subscribe<Data, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables?: Variables,
  ): Received<Data>;
}

/** The errors of a result. */
export class ResultErrors extends Error {
  override readonly name = "ResultErrors";
  readonly errors: readonly GraphQLFormattedError[];

  constructor(errors: readonly GraphQLFormattedError[]) {
    super(JSON.stringify(errors));
    this.errors = errors;
  }

  /** The first error's code. */
  get code(): unknown {
    return this.errors[0]?.extensions?.["code"];
  }
}

/** Options of a client that connects again, at once, for as long as it takes: its operations wait. */
export const PERSISTENT: Partial<ClientOptions> = {
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: () => new Promise((resolve) => setImmediate(resolve)),
};

/** A connected stock client. It does not come back by itself unless `options` say so. */
export function connect(wsUrl: string, token: string | undefined, options: Partial<ClientOptions> = {}): TestClient {
  const acknowledged = Promise.withResolvers<Record<string, unknown>>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  // Nobody has to wait for either.
  acknowledged.promise.catch(() => undefined);
  const client = createClient({
    url: wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: token === undefined ? {} : { token },
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => undefined,
    ...options,
    on: {
      connected: (_socket, payload) => acknowledged.resolve(payload ?? {}),
      closed: (event) => {
        const { code, reason } = event as { code: number; reason: string };
        acknowledged.reject(new Error(`closed with ${code} ${reason}`));
        closed.resolve({ code, reason });
      },
      ...options.on,
    },
  });
  return {
    client,
    acknowledged: acknowledged.promise,
    closed: closed.promise,
    run: (document, variables) => runOn(client, document, variables),
    subscribe: (document, variables) => subscribeOn(client, document, variables),
    [Symbol.asyncDispose]: async () => {
      await client.dispose();
    },
  };
}

async function runOn<Data, Variables extends Record<string, unknown>>(
  client: Client,
  document: TypedDocumentNode<Data, Variables>,
  variables?: Variables,
): Promise<Data> {
  for await (const result of client.iterate<Data>({ query: print(document), variables: variables ?? null })) {
    if (result.errors) throw new ResultErrors(result.errors);
    if (result.data) return result.data;
  }
  throw new Error("the operation was completed without a result");
}

function subscribeOn<Data, Variables extends Record<string, unknown>>(
  client: Client,
  document: TypedDocumentNode<Data, Variables>,
  variables?: Variables,
): Received<Data> {
  const waiting: Data[] = [];
  let wanted: PromiseWithResolvers<Data> | undefined;
  const ended = Promise.withResolvers<readonly GraphQLFormattedError[]>();
  function end(errors: readonly GraphQLFormattedError[]): void {
    ended.resolve(errors);
    wanted?.reject(new ResultErrors(errors));
    wanted = undefined;
  }
  const stop = client.subscribe<Data>(
    { query: print(document), variables: variables ?? null },
    {
      next(result) {
        if (result.errors) end(result.errors);
        else if (wanted) {
          wanted.resolve(result.data as Data);
          wanted = undefined;
        } else waiting.push(result.data as Data);
      },
      error: (error) => end(Array.isArray(error) ? (error as GraphQLFormattedError[]) : [{ message: String(error) }]),
      complete: () => end([]),
    },
  );
  return {
    waiting,
    ended: ended.promise,
    stop,
    next() {
      const head = waiting.shift();
      if (head !== undefined) return Promise.resolve(head);
      wanted = Promise.withResolvers<Data>();
      return wanted.promise;
    },
    [Symbol.asyncDispose]: async () => stop(),
  };
}
