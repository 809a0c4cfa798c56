/** Within one operation nothing is asked for twice: DataLoaders, made anew for each operation. */
import DataLoader from "dataloader";
import type { HistoryArguments, HistoryPage } from "../chat/history.ts";
import type { Chat, Presence, ReadReceipt, User } from "../chat/model.ts";
import type { Caller } from "./caller.ts";
import type { Services } from "./services.ts";

interface HistoryKey extends HistoryArguments {
  readonly chatId: string;
}

/** What is marked as read: a message, or without one the whole chat. */
interface ReadKey {
  readonly chatId: string;
  readonly messageId: string | undefined;
}

export interface Loaders {
  readonly chat: DataLoader<string, Chat>;
  /** The viewer's chats, under one key. */
  readonly chats: DataLoader<"all", readonly Chat[]>;
  readonly history: Pick<DataLoader<HistoryKey, HistoryPage, string>, "load">;
  /** Resolves when what has been asked of a chat's history so far is there, or could not be had. Never rejects. */
  readonly historyUnderWay: (chatId: string) => Promise<void>;
  /** Marks as read: once in one operation, however many aliases ask for it. */
  readonly read: Pick<DataLoader<ReadKey, ReadReceipt, string>, "load">;
  readonly presence: DataLoader<User, Presence, string>;
  /** The same, of anybody: offline where the viewer may not know, sharing no chat with them. */
  readonly visiblePresence: DataLoader<User, Presence, string>;
}

export function createLoaders(caller: Caller, services: Services): Loaders {
  const pages = new DataLoader(
    each(async ({ chatId, ...page }: HistoryKey) => services.history.page(await caller.identity(), chatId, page)),
    { cacheKeyFn: ({ chatId, last, before }) => JSON.stringify([chatId, last, before ?? null]) },
  );
  const underWay = new Map<string, Promise<HistoryPage>[]>();
  /** Members of the chats that were asked for. */
  const known = new Set<string>();
  const note = (chat: Chat): Chat => {
    for (const { id } of chat.participants) known.add(id);
    return chat;
  };
  const chats = new DataLoader<"all", readonly Chat[]>(
    each(async () => (await services.chats.list(await caller.identity())).map(note)),
  );
  const presence = new DataLoader<User, Presence, string>((users) => services.presence.of(users), { cacheKeyFn: idOf });
  return {
    chat: new DataLoader(each(async (id: string) => note(await services.chats.get(await caller.identity(), id)))),
    chats,
    history: {
      load(key) {
        const page = pages.load(key);
        underWay.set(key.chatId, [...(underWay.get(key.chatId) ?? []), page]);
        return page;
      },
    },
    async historyUnderWay(chatId) {
      await Promise.allSettled(underWay.get(chatId) ?? []);
    },
    read: new DataLoader<ReadKey, ReadReceipt, string>(
      each(async ({ chatId, messageId }) => services.receipts.mark(await caller.identity(), chatId, messageId)),
      { cacheKeyFn: ({ chatId, messageId }) => JSON.stringify([chatId, messageId ?? null]) },
    ),
    presence,
    visiblePresence: new DataLoader<User, Presence, string>(
      async (users) => {
        const others = users.map(idOf).filter((id) => !known.has(id));
        const visible =
          others.length > 0
            ? await services.access.acquaintances(await caller.identity(), others, () => chats.load("all"))
            : known;
        return Promise.all(
          users.map(async (user) =>
            known.has(user.id) || visible.has(user.id)
              ? presence.load(user)
              : { user, online: false, lastSeenAt: null },
          ),
        );
      },
      { cacheKeyFn: idOf },
    ),
  };
}

function idOf({ id }: { readonly id: string }): string {
  return id;
}

/** For what the REST API cannot be asked in one request: each key's own failure is its own. */
function each<Key, Value>(load: (key: Key) => Promise<Value>): DataLoader.BatchLoadFn<Key, Value> {
  return async (keys) => {
    const settled = await Promise.allSettled(keys.map(load));
    return settled.map((result) => (result.status === "fulfilled" ? result.value : toError(result.reason)));
  };
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
