/** The normalised cache: one list of messages a chat, whatever they came with. */
import { cacheExchange, type Cache } from "@urql/exchange-graphcache";
import type * as graphql from "shared/generated/graphql.ts";
import { addNode, addPage, type History, type Reader } from "shared/history.ts";

type Sent = graphql.SendMessageMutation;
type Added = graphql.MessageAddedSubscription;
type Read = graphql.ReadReceiptSubscription;
type Changed = graphql.ChatsChangedSubscription;

function reader(cache: Cache): Reader<string> {
  return { key: (key) => key, createdAt: (key) => cache.resolve(key, "createdAt") as string };
}

/**
 * What is shown of each chat, as keys of messages, by the chat's key. Results may reach Graphcache in another order than they were
 * asked for, and each has a layer of its own there.
 */
class ShownMessages {
  readonly #chats = new Map<string, History<string>>();

  get(cache: Cache, chat: string): History<string> | undefined {
    // The link is changed with the list: Graphcache reads the list again.
    cache.resolve(chat, "shown");
    return this.#chats.get(chat);
  }

  addPage(cache: Cache, chat: string, { messages }: graphql.MessagesQuery["chat"], before: unknown): void {
    const page = { ...messages, nodes: messages.nodes.map(({ id }) => `Message:${id}`) };
    const known = this.#chats.get(chat);
    this.#show(cache, chat, known ? addPage(known, page, before, reader(cache)) : page);
  }

  /** Shows a message that was sent or received. */
  add(cache: Cache, { id, chatId }: Sent["sendMessage"]): void {
    const known = this.#chats.get(`Chat:${chatId}`);
    if (known) this.#show(cache, `Chat:${chatId}`, addNode(known, `Message:${id}`, reader(cache)));
  }

  /** Adds the reader to a message; without `messageId`, to all. */
  addReceipt(cache: Cache, { id, chatId, messageId }: Read["readReceipt"]): void {
    for (const key of this.#chats.get(`Chat:${chatId}`)?.nodes ?? []) {
      const readers = cache.resolve(key, "readBy") as string[];
      if (!messageId || key === `Message:${messageId}`)
        cache.link(key, "readBy", [...new Set([...readers, `ReadReceipt:${id}`])]);
    }
  }

  #show(cache: Cache, chat: string, shown: History<string>): void {
    this.#chats.set(chat, shown);
    cache.link(chat, "shown", [...shown.nodes]);
  }
}

function changeChats(cache: Cache, { isSnapshot, changed, removedIds }: Changed["chatsChanged"]): void {
  const keys = changed.map(({ id }) => `Chat:${id}`);
  const known = isSnapshot ? [] : (cache.resolve("Query", "chats") as string[]);
  const replaced = new Set([...keys, ...removedIds.map((id) => `Chat:${id}`)]);
  cache.link("Query", "chats", [...keys, ...known.filter((key) => !replaced.has(key))]);
}

export function createCache(): ReturnType<typeof cacheExchange> {
  const shown = new ShownMessages();
  return cacheExchange({
    keys: { ChatsChange: () => null, MessageConnection: () => null, PageInfo: () => null },
    resolvers: {
      Chat: {
        messages(_chat, _args, cache, { parentKey }) {
          const messages = shown.get(cache, parentKey);
          if (!messages) return undefined;
          const pageInfo = { __typename: "PageInfo", ...messages.pageInfo };
          return { __typename: "MessageConnection", nodes: [...messages.nodes], pageInfo };
        },
      },
    },
    updates: {
      Chat: {
        messages: (chat: graphql.MessagesQuery["chat"], { before }, cache, { parentKey }) =>
          shown.addPage(cache, parentKey, chat, before),
      },
      Mutation: { sendMessage: (data: Sent, _, cache) => shown.add(cache, data.sendMessage) },
      Subscription: {
        messageAdded: (data: Added, _, cache) => shown.add(cache, data.messageAdded),
        readReceipt: (data: Read, _, cache) => shown.addReceipt(cache, data.readReceipt),
        chatsChanged: (data: Changed, _, cache) => changeChats(cache, data.chatsChanged),
      },
    },
  });
}
