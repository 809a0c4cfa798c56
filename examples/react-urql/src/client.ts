import { useEffect } from "react";
import { connect } from "shared/connection.ts";
import { MessagesDocument } from "shared/generated/graphql.ts";
import { Client, subscriptionExchange, useSubscription, type AnyVariables, type TypedDocumentNode } from "urql";
import { createCache } from "./cache.ts";

export const connection = connect();

export const client = new Client({
  url: "unused: everything goes over the WebSocket",
  preferGetMethod: false,
  exchanges: [
    createCache(),
    subscriptionExchange({
      enableAllOperations: true,
      forwardSubscription: ({ query = "", variables, operationName }) => ({
        subscribe: (sink) => ({
          unsubscribe: connection.client.subscribe({ query, variables, operationName }, sink as never),
        }),
      }),
    }),
  ],
});

/** Loads a page of messages into the cache: the newest, or the one before a cursor. */
export function load(chatId: string, before?: string | null): Promise<unknown> {
  return client.query(MessagesDocument, { chatId, before }, { requestPolicy: "network-only" }).toPromise();
}

/** Subscribes, and again when the gateway has ended the subscription: with CURSOR_EXPIRED, or because the REST API was down. */
export function useLive<Data, Variables extends AnyVariables>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables | undefined,
): Data | undefined {
  const [{ data, error }, subscribe] = useSubscription<Data, Data>({
    query,
    variables: variables ?? {},
    pause: !variables,
  });
  useEffect(() => {
    const timer = error && setTimeout(() => void connection.reload().then(() => subscribe()), 500);
    return () => clearTimeout(timer);
  }, [error, subscribe]);
  return data;
}
