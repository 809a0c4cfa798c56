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
  type ChatQuery,
} from "../tests/support/generated/graphql.ts"; // What codegen makes of schema/operations/.
import { MessageList, type Chat, type ChatListener, type ChatOptions } from "./chat.ts";
import { connectSocket } from "./socket.ts";

type Variables = Readonly<Record<string, unknown>>;

/** Resolves when the newest messages are shown. */
export async function openChat({ url, token, chatId, listener }: ChatOptions): Promise<Chat> {
  const messages = new MessageList((shown) => listener.messages(shown));
  const load = async (): Promise<ChatQuery["chat"]["messages"]> =>
    (await run(client, ChatDocument, { id: chatId })).chat.messages;
  // A chat that was empty has no cursor: what was missed is in the history. If that fails too, the next reconnect tries again.
  const reload = async (): Promise<void> => messages.add(...(await load()).nodes);
  const client = connectSocket({ url, token, onReconnected: () => void reload().catch(() => undefined) });
  /** The newest page, then everything behind it; from the newest page on again where too much was missed. */
  const follow = async (): Promise<void> => {
    const { nodes, pageInfo } = await load();
    messages.replace(...nodes);
    const variables = { chatId, after: pageInfo.endCursor ?? null };
    const again = (): void =>
      void follow().catch((error: unknown) => listener.ended(error instanceof Error ? codeOf(error.cause) : undefined));
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

function watch(client: Client, chatId: string, listener: ChatListener): void {
  subscribe(client, listener, ReadReceiptDocument, { chatId }, ({ readReceipt }) => listener.receipt(readReceipt));
  subscribe(client, listener, TypingChangedDocument, { chatId }, ({ typingChanged }) => listener.typing(typingChanged));
  subscribe(client, listener, PresenceChangedDocument, { chatId }, (data) => listener.presence(data.presenceChanged));
}

/** @param expired called where the gateway cannot deliver what was missed; left out, the subscription begins with what is new. */
function subscribe<Data, V extends Variables>(
  client: Client,
  listener: ChatListener,
  document: TypedDocumentNode<Data, V>,
  variables: V,
  next: (data: Data) => void,
  expired = (): void => subscribe(client, listener, document, variables, next),
): void {
  client.subscribe<Data>(
    { query: print(document), variables },
    {
      next: ({ data }) => data && next(data),
      error(error) {
        const code = codeOf(error);
        if (code === "CURSOR_EXPIRED") expired();
        else listener.ended(code);
      },
      complete: () => undefined,
    },
  );
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

/** The gateway's errors come as an array. Anything else is the connection, given up. */
function isGraphQLErrors(error: unknown): error is readonly GraphQLFormattedError[] {
  return Array.isArray(error);
}

function codeOf(error: unknown): unknown {
  return isGraphQLErrors(error) ? error[0]?.extensions?.["code"] : undefined;
}
