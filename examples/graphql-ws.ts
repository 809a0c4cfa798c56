/** A chat with graphql-ws alone. One connection carries everything, queries and mutations included. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print, type GraphQLFormattedError } from "graphql";
import type { Client } from "graphql-ws";
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

type Variables = Readonly<Record<string, unknown>>;

/** Resolves when the newest messages are shown. */
export async function openChat({ url, token, chatId, listener }: ChatOptions): Promise<Chat> {
  const messages = new MessageList((shown) => listener.messages(shown));
  const load = async (): Promise<void> => {
    const { chat } = await run(client, ChatDocument, { id: chatId });
    messages.add(...chat.messages.nodes);
  };
  // What was missed meanwhile is in the history. If that fails too, the next reconnect tries again.
  const client = connectSocket({ url, token, onReconnected: () => void load().catch(() => undefined) });
  // Subscribed first, loaded then: what comes in between is in both, and counts once.
  watch(client, chatId, messages, listener);
  await load();
  return {
    async send(content, clientMessageId = crypto.randomUUID()) {
      messages.sending(clientMessageId, content);
      try {
        // Repeated by the client if the connection breaks before the answer: the id makes that safe.
        const { sendMessage } = await run(client, SendMessageDocument, { chatId, content, clientMessageId });
        messages.add(sendMessage);
      } catch (error) {
        messages.failed(clientMessageId);
        throw error;
      }
    },
    close: async () => client.dispose(),
  };
}

function watch(client: Client, chatId: string, messages: MessageList, listener: ChatListener): void {
  const subscribe = <Data>(document: TypedDocumentNode<Data, { chatId: string }>, next: (data: Data) => void): void => {
    client.subscribe<Data>(
      { query: print(document), variables: { chatId } },
      {
        next: ({ data }) => data && next(data),
        // The gateway's errors come as an array. Anything else is the connection, given up.
        error: (error) => listener.ended(codeOf(isGraphQLErrors(error) ? error : [])),
        complete: () => undefined,
      },
    );
  };
  subscribe(MessageAddedDocument, ({ messageAdded }) => messages.add(messageAdded));
  subscribe(ReadReceiptDocument, ({ readReceipt }) => listener.receipt(readReceipt));
  subscribe(TypingChangedDocument, ({ typingChanged }) => listener.typing(typingChanged));
  subscribe(PresenceChangedDocument, ({ presenceChanged }) => listener.presence(presenceChanged));
}

/** Runs a query or a mutation. Rejects with an Error whose `cause` are the GraphQL errors, if there are any. */
async function run<Data, V extends Variables>(
  client: Client,
  document: TypedDocumentNode<Data, V>,
  variables: V,
): Promise<Data> {
  for await (const { data, errors } of client.iterate<Data>({ query: print(document), variables: { ...variables } })) {
    if (errors) throw new Error(String(codeOf(errors)), { cause: errors });
    if (data) return data;
  }
  throw new Error("The operation ended without a result.");
}

function isGraphQLErrors(error: unknown): error is readonly GraphQLFormattedError[] {
  return Array.isArray(error);
}

function codeOf([error]: readonly GraphQLFormattedError[]): unknown {
  return error?.extensions?.["code"];
}
