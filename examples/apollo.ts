/** A chat with Apollo Client, whose cache keeps the messages. One connection carries everything, queries and mutations included. */
import {
  ApolloClient,
  CombinedGraphQLErrors,
  gql,
  InMemoryCache,
  type ApolloCache,
  type FieldMergeFunction,
  type OperationVariables,
  type Reference,
  type TypedDocumentNode,
} from "@apollo/client/core";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { print } from "graphql";
import {
  ChatDocument,
  MeDocument,
  MessageAddedDocument,
  MessageFieldsFragmentDoc,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  TypingChangedDocument,
  type MeQuery,
  type MessageAddedSubscription,
  type MessageFieldsFragment,
} from "../tests/support/generated/graphql.ts"; // What codegen makes of schema/operations/.
import type { Chat, ChatListener, ChatOptions, ShownMessage } from "./chat.ts";
import { connectSocket } from "./socket.ts";

/** Begins the id of an optimistic copy. */
const OPTIMISTIC = "optimistic:";

const ARRIVED = gql`
  fragment Arrived on Chat {
    messages {
      nodes {
        ...MessageFields
      }
    }
  }
  ${print(MessageFieldsFragmentDoc)}
`;

interface Messages {
  readonly nodes: readonly Reference[];
}

/** Resolves when the newest messages are shown. */
export async function openChat({ url, token, chatId, listener }: ChatOptions): Promise<Chat> {
  const load = async (): Promise<string | null> => {
    const { data } = await client.query({
      query: ChatDocument,
      variables: { id: chatId },
      fetchPolicy: "network-only",
    });
    return data?.chat.messages.pageInfo.endCursor ?? null;
  };
  // A chat that was empty has no cursor: what was missed is in the history. If that fails too, the next reconnect tries again.
  const socket = connectSocket({ url, token, onReconnected: () => void load().catch(() => undefined) });
  const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache: createCache() });
  /** The newest page, then everything behind it; from the newest page on again where too much was missed. */
  const follow = async (): Promise<void> => {
    const variables = { chatId, after: await load() };
    const add = (data: MessageAddedSubscription): void => addMessage(client.cache, data.messageAdded);
    const again = (): void => {
      // The newest page may not follow what is here.
      client.cache.evict({ id: `Chat:${chatId}`, fieldName: "messages" });
      follow().catch((error: unknown) => listener.ended(codeOf(error)));
    };
    subscribe(client, listener, MessageAddedDocument, variables, add, again);
  };
  watch(client, chatId, listener);
  const [{ data }] = await Promise.all([client.query({ query: MeDocument }), follow()]);
  client
    .watchQuery({ query: ChatDocument, variables: { id: chatId }, fetchPolicy: "cache-only" })
    .subscribe((shown) => {
      if (shown.dataState === "complete") listener.messages(shown.data.chat.messages.nodes.map(toShown));
    });
  return {
    // A copy whose mutation fails disappears, as always with Apollo: the caller has its text.
    async send(content, clientMessageId = crypto.randomUUID()) {
      // Repeated by the client if the connection breaks before the answer: the id makes that safe.
      await client.mutate({
        mutation: SendMessageDocument,
        variables: { chatId, content, clientMessageId },
        optimisticResponse: { sendMessage: optimisticCopy(data?.me, { chatId, content, clientMessageId }) },
        update: (cache, result) => result.data && addMessage(cache, result.data.sendMessage),
      });
    },
    async close() {
      client.stop();
      await socket.dispose();
    },
  };
}

function watch(client: ApolloClient, chatId: string, listener: ChatListener): void {
  subscribe(client, listener, ReadReceiptDocument, { chatId }, ({ readReceipt }) => listener.receipt(readReceipt));
  subscribe(client, listener, TypingChangedDocument, { chatId }, ({ typingChanged }) => listener.typing(typingChanged));
  subscribe(client, listener, PresenceChangedDocument, { chatId }, (data) => listener.presence(data.presenceChanged));
}

/** @param expired called where the gateway cannot deliver what was missed; left out, the subscription begins with what is new. */
function subscribe<Data, V extends OperationVariables>(
  client: ApolloClient,
  listener: ChatListener,
  query: TypedDocumentNode<Data, V>,
  variables: V,
  next: (data: Data) => void,
  expired = (): void => subscribe(client, listener, query, variables, next),
): void {
  client.subscribe<Data>({ query, variables }).subscribe(({ data, error }) => {
    const code = error && codeOf(error);
    if (code === "CURSOR_EXPIRED") expired();
    else if (error) listener.ended(code);
    else if (data) next(data);
  });
}

function codeOf(error: unknown): unknown {
  return CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.["code"] : undefined;
}

/** One list of messages a chat, whatever page they came in. */
function createCache(): InMemoryCache {
  return new InMemoryCache({
    typePolicies: {
      Chat: { fields: { messages: { keyArgs: false, merge: mergeMessages } } },
      // The history does not know the clientMessageId: what was learnt before stays.
      Message: {
        fields: { clientMessageId: { merge: (known: unknown, incoming: unknown) => incoming ?? known ?? null } },
      },
    },
  });
}

/** Messages come from the history, from the subscription and as the answer to a mutation, in any order; each counts once. */
const mergeMessages: FieldMergeFunction<Messages> = (known, incoming, { readField }) => {
  const text = (name: string, message: Reference): string => readField<string>(name, message) ?? "";
  const isCopy = (message: Reference): boolean => text("id", message).startsWith(OPTIMISTIC);
  const nodes = new Map([...(known?.nodes ?? []), ...incoming.nodes].map((message) => [text("id", message), message]));
  const place = (message: Reference): string =>
    `${isCopy(message) ? 1 : 0} ${text("createdAt", message)} ${text("id", message)}`;
  return { ...known, ...incoming, nodes: [...nodes.values()].toSorted((a, b) => (place(a) < place(b) ? -1 : 1)) };
};

function addMessage(cache: ApolloCache, message: MessageFieldsFragment): void {
  cache.writeFragment({
    id: `Chat:${message.chatId}`,
    fragmentName: "Arrived",
    fragment: ARRIVED,
    data: { messages: { __typename: "MessageConnection", nodes: [message] } },
  });
}

/** What the message will look like, as far as this side can know. */
function optimisticCopy(
  me: MeQuery["me"] | undefined,
  sent: Pick<MessageFieldsFragment, "chatId" | "content"> & { readonly clientMessageId: string },
): MessageFieldsFragment {
  const message = {
    __typename: "Message",
    id: OPTIMISTIC + sent.clientMessageId,
    sender: { __typename: "User", id: me?.id ?? "", name: me?.name ?? "" },
    createdAt: new Date().toISOString(),
    readAt: null,
    cursor: "",
    ...sent,
  };
  return message;
}

function toShown({ id, clientMessageId, content }: MessageFieldsFragment): ShownMessage {
  return { key: clientMessageId ?? id, content, state: id.startsWith(OPTIMISTIC) ? "sending" : "sent" };
}
