/** The normalised cache: one list of messages a chat, whatever they came with. */
import { cacheExchange, type Cache } from "@urql/exchange-graphcache";

interface PageInfo {
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

interface Page {
  readonly nodes: readonly { readonly id: string }[];
  readonly pageInfo: PageInfo;
}

interface Message {
  readonly id: string;
  readonly chatId: string;
}

interface Receipt extends Message {
  readonly messageId?: string | null;
}

interface ChatsChange {
  readonly isSnapshot: boolean;
  readonly changed: readonly { readonly id: string }[];
  readonly removedIds: readonly string[];
}

/** What is shown of a chat: keys of messages, what is before the oldest page, and the end of the newest. */
interface Shown {
  readonly keys: readonly string[];
  readonly pageInfo: PageInfo;
}

/** By the chats' keys. Results may reach Graphcache in another order than they were asked for, and each has a layer of its own there. */
type ShownChats = Map<string, Shown>;

/** The link makes Graphcache read the list again. */
function show(chats: ShownChats, cache: Cache, chat: string, shown: Shown): void {
  chats.set(chat, shown);
  cache.link(chat, "shown", [...shown.keys]);
}

/** Each message once, in the order of creation. */
function inOrder(cache: Cache, keys: readonly string[]): readonly string[] {
  const at = (key: string): string => cache.resolve(key, "createdAt") as string;
  return [...new Set(keys)].toSorted((a, b) => (at(a) < at(b) ? -1 : Number(at(a) > at(b))));
}

function addPage(chats: ShownChats, cache: Cache, chat: string, { nodes, pageInfo }: Page, before: unknown): void {
  const page = nodes.map(({ id }) => `Message:${id}`);
  const known = chats.get(chat) ?? { keys: page, pageInfo };
  const { endCursor } = before ? known.pageInfo : pageInfo;
  // The list was loaded anew meanwhile: this is not the page before it.
  if (before && before !== known.pageInfo.startCursor) return;
  const keys = inOrder(cache, before ? [...page, ...known.keys] : [...known.keys, ...page]);
  const first = page[0] ?? "";
  if (before) show(chats, cache, chat, { keys, pageInfo: { ...pageInfo, endCursor } });
  else if (!pageInfo.hasPreviousPage || known.keys.includes(first))
    show(chats, cache, chat, { keys, pageInfo: { ...known.pageInfo, endCursor } });
  // More than a page was missed: the newest one takes the place of all, and what is between is loaded as older messages.
  else show(chats, cache, chat, { keys: keys.slice(keys.indexOf(first)), pageInfo });
}

/** Shows a message that was sent or received. What is before the list is loaded as older messages. */
function addMessage(chats: ShownChats, cache: Cache, { id, chatId }: Message): void {
  const chat = `Chat:${chatId}`;
  const known = chats.get(chat);
  if (!known) return;
  const keys = inOrder(cache, [...known.keys, `Message:${id}`]);
  if (!known.pageInfo.hasPreviousPage || keys[0] === known.keys[0]) show(chats, cache, chat, { ...known, keys });
}

/** Adds the reader to a message; without `messageId`, to all. */
function addReceipt(chats: ShownChats, cache: Cache, { id, chatId, messageId }: Receipt): void {
  for (const key of chats.get(`Chat:${chatId}`)?.keys ?? []) {
    const readers = cache.resolve(key, "readBy") as string[];
    if (!messageId || key === `Message:${messageId}`)
      cache.link(key, "readBy", [...new Set([...readers, `ReadReceipt:${id}`])]);
  }
}

function changeChats(cache: Cache, { isSnapshot, changed, removedIds }: ChatsChange): void {
  const keys = changed.map(({ id }) => `Chat:${id}`);
  const known = isSnapshot ? [] : (cache.resolve("Query", "chats") as string[]);
  const replaced = new Set([...keys, ...removedIds.map((id) => `Chat:${id}`)]);
  cache.link("Query", "chats", [...keys, ...known.filter((key) => !replaced.has(key))]);
}

export function createCache(): ReturnType<typeof cacheExchange> {
  const chats: ShownChats = new Map();
  return cacheExchange({
    keys: { ChatsChange: () => null, MessageConnection: () => null, PageInfo: () => null },
    resolvers: {
      Chat: {
        messages(_chat, _args, cache, { parentKey }) {
          cache.resolve(parentKey, "shown");
          const shown = chats.get(parentKey);
          if (!shown) return undefined;
          const pageInfo = { __typename: "PageInfo", ...shown.pageInfo };
          return { __typename: "MessageConnection", nodes: [...shown.keys], pageInfo };
        },
      },
    },
    updates: {
      Chat: {
        messages: (chat: { messages: Page }, { before }, cache, { parentKey }) =>
          addPage(chats, cache, parentKey, chat.messages, before),
      },
      Mutation: {
        sendMessage: ({ sendMessage }: { sendMessage: Message }, _, cache) => addMessage(chats, cache, sendMessage),
      },
      Subscription: {
        messageAdded: ({ messageAdded }: { messageAdded: Message }, _, cache) => addMessage(chats, cache, messageAdded),
        readReceipt: ({ readReceipt }: { readReceipt: Receipt }, _, cache) => addReceipt(chats, cache, readReceipt),
        chatsChanged: ({ chatsChanged }: { chatsChanged: ChatsChange }, _, cache) => changeChats(cache, chatsChanged),
      },
    },
  });
}
