import { Client, subscriptionExchange, useSubscription, type AnyVariables, type TypedDocumentNode } from "urql";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { createCache } from "./cache.ts";
import { connect, type Status } from "./connection.ts";
import { graphql } from "./generated/index.ts";

interface Connection {
  readonly status: Status;
  /** How often messages or receipts began with what is new. */
  readonly starts: number;
}

const listeners = new Set<() => void>();
const connection: { now: Connection } = { now: { status: "connecting", starts: 0 } };

function change(changes: Partial<Connection>): void {
  connection.now = { ...connection.now, ...changes };
  for (const listener of listeners) listener();
}

const socket = connect(
  (status) => change({ status }),
  () => change({ starts: connection.now.starts + 1 }),
);

export const client = new Client({
  url: "unused: everything goes over the WebSocket",
  preferGetMethod: false,
  exchanges: [
    createCache(),
    subscriptionExchange({
      enableAllOperations: true,
      forwardSubscription: ({ query = "", variables, operationName }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables, operationName }, sink as never) }),
      }),
    }),
  ],
});

export function useConnection(): Connection {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => connection.now,
  );
}

/**
 * Subscribes, and again when the gateway has ended the subscription: with CURSOR_EXPIRED, or because the REST API was down.
 *
 * @param recover called before it subscribes again.
 */
export function useLive<Data, Variables extends AnyVariables>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables | undefined,
  recover: () => Promise<unknown> = async () => undefined,
): Data | undefined {
  const [{ data, error }, subscribe] = useSubscription<Data, Data>({
    query,
    variables: variables ?? {},
    pause: !variables,
  });
  useEffect(() => {
    const timer = error && setTimeout(() => void recover().then(() => subscribe()), 500);
    return () => clearTimeout(timer);
  }, [error, recover, subscribe]);
  return data;
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

export interface Outbox {
  readonly unsent: readonly Unsent[];
  readonly send: (message: Unsent) => void;
}

/** Messages on their way, in order. Sent again with the same `clientMessageId`, a message is persisted once. */
export function useOutbox(): Outbox {
  const [unsent, setUnsent] = useState<readonly Unsent[]>([]);
  const queue = useRef(Promise.resolve());
  const replace = (message: Unsent, ...by: readonly Unsent[]): void =>
    setUnsent((all) => [...all.filter(({ key }) => key !== message.key), ...by]);
  const send = (message: Unsent): void => {
    const { chatId, content, key } = message;
    replace(message, { ...message, isFailed: false });
    const post = async (): Promise<void> => {
      const { error } = await client.mutation(SEND, { chatId, content, key });
      replace(message, ...(error ? [{ ...message, isFailed: true }] : []));
    };
    queue.current = queue.current.then(post);
  };
  return { unsent, send };
}
