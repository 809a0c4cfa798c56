/** A chat with urql. One connection carries everything; with a fetchExchange after it, queries and mutations may go over HTTP. */
import { Client, subscriptionExchange, type AnyVariables, CombinedError, type TypedDocumentNode } from "@urql/core";
import type { Sink } from "graphql-ws";
import {
  ChatDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  TypingChangedDocument,
  type ChatQuery,
} from "../tests/support/generated/graphql.ts"; // What codegen makes of schema/operations/.
import { MessageList, type Chat, type ChatListener, type ChatOptions } from "./chat.ts";
import { connectSocket } from "./socket.ts";

/** Resolves when the newest messages are shown. */
export async function openChat({ url, token, chatId, listener }: ChatOptions): Promise<Chat> {
  const messages = new MessageList((shown) => listener.messages(shown));
  const load = async (): Promise<ChatQuery["chat"]["messages"]> => {
    const { data, error } = await client.query(ChatDocument, { id: chatId });
    if (!data) throw error ?? new Error("The query ended without a result.");
    return data.chat.messages;
  };
  // A chat that was empty has no cursor: what was missed is in the history. If that fails too, the next reconnect tries again.
  const reload = async (): Promise<void> => messages.add(...(await load()).nodes);
  const socket = connectSocket({ url, token, onReconnected: () => void reload().catch(() => undefined) });
  const client = new Client({
    url,
    preferGetMethod: false,
    exchanges: [
      subscriptionExchange({
        enableAllOperations: true,
        forwardSubscription: ({ query = "", variables = {} }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ query, variables }, sink as Sink),
          }),
        }),
      }),
    ],
  });
  /** The newest page, then everything behind it; from the newest page on again where too much was missed. */
  const follow = async (): Promise<void> => {
    const { nodes, pageInfo } = await load();
    messages.replace(...nodes);
    const variables = { chatId, after: pageInfo.endCursor ?? null };
    const again = (): void => void follow().catch((error: unknown) => listener.ended(codeOf(error)));
    subscribe(
      client,
      listener,
      MessageAddedDocument,
      variables,
      ({ messageAdded }) => messages.add(messageAdded),
      again,
    );
  };
  watch(client, chatId, listener);
  await follow();
  return {
    async send(content, clientMessageId = crypto.randomUUID()) {
      messages.sending(clientMessageId, content);
      // Repeated by the client if the connection breaks before the answer: the id makes that safe.
      const { data, error } = await client.mutation(SendMessageDocument, { chatId, content, clientMessageId });
      if (data) messages.add(data.sendMessage);
      if (!error) return;
      messages.failed(clientMessageId);
      throw error;
    },
    close: async () => socket.dispose(),
  };
}

function watch(client: Client, chatId: string, listener: ChatListener): void {
  subscribe(client, listener, ReadReceiptDocument, { chatId }, ({ readReceipt }) => listener.receipt(readReceipt));
  subscribe(client, listener, TypingChangedDocument, { chatId }, ({ typingChanged }) => listener.typing(typingChanged));
  subscribe(client, listener, PresenceChangedDocument, { chatId }, (data) => listener.presence(data.presenceChanged));
}

/** @param expired called where the gateway cannot deliver what was missed; left out, the subscription begins with what is new. */
function subscribe<Data, V extends AnyVariables>(
  client: Client,
  listener: ChatListener,
  document: TypedDocumentNode<Data, V>,
  variables: V,
  next: (data: Data) => void,
  expired = (): void => subscribe(client, listener, document, variables, next),
): void {
  const subscription = client.subscription(document, variables).subscribe(({ data, error }) => {
    const code = error && codeOf(error);
    if (code === "CURSOR_EXPIRED") {
      // Until then another one with the same variables would be the same.
      subscription.unsubscribe();
      expired();
    } else if (error) listener.ended(code);
    else if (data) next(data);
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof CombinedError ? error.graphQLErrors[0]?.extensions["code"] : undefined;
}
