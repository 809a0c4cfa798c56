/** A chat with urql. One connection carries everything; with a fetchExchange after it, queries and mutations may go over HTTP. */
import { Client, subscriptionExchange, type CombinedError, type TypedDocumentNode } from "@urql/core";
import type { Sink } from "graphql-ws";
import {
  ChatDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  TypingChangedDocument,
} from "../tests/support/generated/graphql.ts"; // What codegen makes of schema/operations/.
import { MessageList, type Chat, type ChatListener, type ChatOptions } from "./chat.ts";
import { connectSocket } from "./socket.ts";

/** Resolves when the newest messages are shown. */
export async function openChat({ url, token, chatId, listener }: ChatOptions): Promise<Chat> {
  const messages = new MessageList((shown) => listener.messages(shown));
  const load = async (): Promise<void> => {
    const { data, error } = await client.query(ChatDocument, { id: chatId });
    if (error) throw error;
    messages.add(...(data?.chat.messages.nodes ?? []));
  };
  // What was missed meanwhile is in the history. If that fails too, the next reconnect tries again.
  const socket = connectSocket({ url, token, onReconnected: () => void load().catch(() => undefined) });
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
  // Subscribed first, loaded then: what comes in between is in both, and counts once.
  watch(client, chatId, messages, listener);
  await load();
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

function watch(client: Client, chatId: string, messages: MessageList, listener: ChatListener): void {
  const subscribe = <Data>(document: TypedDocumentNode<Data, { chatId: string }>, next: (data: Data) => void): void => {
    client.subscription(document, { chatId }).subscribe(({ data, error }) => {
      if (error) listener.ended(codeOf(error));
      else if (data) next(data);
    });
  };
  subscribe(MessageAddedDocument, ({ messageAdded }) => messages.add(messageAdded));
  subscribe(ReadReceiptDocument, ({ readReceipt }) => listener.receipt(readReceipt));
  subscribe(TypingChangedDocument, ({ typingChanged }) => listener.typing(typingChanged));
  subscribe(PresenceChangedDocument, ({ presenceChanged }) => listener.presence(presenceChanged));
}

function codeOf({ graphQLErrors: [error] }: CombinedError): unknown {
  return error?.extensions["code"];
}
