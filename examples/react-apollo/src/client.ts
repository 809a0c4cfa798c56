import { ApolloClient, type OperationVariables } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { skipToken, useSubscription } from "@apollo/client/react";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { addMessage, cache } from "./cache.ts";
import { connect, type Status } from "./connection.ts";
import { graphql } from "./generated/index.ts";

const connection = { status: "connecting" as Status, listeners: new Set<() => void>() };

const link = new GraphQLWsLink(
  connect(
    (status) => {
      connection.status = status;
      connection.listeners.forEach((listener) => listener());
    },
    () => void reload(),
  ),
);

export const client = new ApolloClient({ link, cache });

/** Loads the newest messages of the open chat again. */
async function reload(): Promise<void> {
  await client.refetchQueries({ include: ["Messages"] }).catch(() => undefined);
}

export function useStatus(): Status {
  return useSyncExternalStore(
    (listener) => {
      connection.listeners.add(listener);
      return () => connection.listeners.delete(listener);
    },
    () => connection.status,
  );
}

/** Subscribes, and again when the gateway has ended the subscription: with CURSOR_EXPIRED, or because the REST API was down. */
export function useLive<Data, Variables extends OperationVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables | undefined,
  onData?: (data: Data) => void,
): void {
  const { error, restart } = useSubscription(
    document,
    variables ? { variables, onData: ({ data }) => data.data && onData?.(data.data as Data) } : skipToken,
  );
  useEffect(() => {
    const timer = error && setTimeout(() => void reload().then(restart), 500);
    return () => clearTimeout(timer);
  }, [error, restart]);
}

const SEND = graphql(`
  mutation SendMessage($chatId: ID!, $content: String!, $key: ID!) {
    sendMessage(chatId: $chatId, content: $content, clientMessageId: $key) { id chatId ...Message }
  }
`);

export interface Unsent {
  readonly key: string;
  readonly chatId: string;
  readonly content: string;
  /** When it was written, in ms since 1970. */
  readonly at: number;
  readonly isFailed?: boolean;
}

export type Outbox = ReturnType<typeof useOutbox>;

/** Messages on their way, in order. Sent again with the same `clientMessageId`, a message is persisted once. */
export function useOutbox(): { readonly unsent: readonly Unsent[]; readonly send: (message: Unsent) => void } {
  const [unsent, setUnsent] = useState<readonly Unsent[]>([]);
  const queue = useRef(Promise.resolve());
  const replace = (message: Unsent, ...by: readonly Unsent[]): void =>
    setUnsent((all) => [...all.filter(({ key }) => key !== message.key), ...by]);
  const send = (message: Unsent): void => {
    const variables = { chatId: message.chatId, content: message.content, key: message.key };
    replace(message, { ...message, isFailed: false });
    queue.current = queue.current
      .then(() =>
        client.mutate({ mutation: SEND, variables, update: (_, { data }) => data && addMessage(data.sendMessage) }),
      )
      .then(
        () => replace(message),
        () => replace(message, { ...message, isFailed: true }),
      );
  };
  return { unsent, send };
}
