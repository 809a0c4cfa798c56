import type { Connection } from "./connection.ts";
import { derived, toggle, type Store } from "./store.ts";
import { brief } from "./timeline.ts";
import type { Inbox, User } from "./types.ts";
import type { WireChat, WireChatsChange, WirePresence } from "./wire.ts";

/** The viewer's chats, and who of the others is online. */
export interface ChatList {
  readonly store: Store<Inbox>;
  me(): User;
  online(chatId: string): readonly User[];
}

/** @param onPeople called when somebody comes or goes. */
export function chatList(connection: Connection, onPeople: () => void): ChatList {
  const chats = new Map<string, WireChat>();
  const online = new Map<string, User>();
  let isLoaded = false;
  const onlineOf = (users: readonly User[] = []): readonly User[] => users.filter((user) => online.has(user.id));
  const show = (chat: WireChat): Inbox["chats"][number] => {
    const others = chat.participants.filter((user) => user.id !== connection.userId);
    return {
      ...chat,
      title: chat.title || others.map((user) => user.name).join(", "),
      online: onlineOf(others),
      updatedAt: new Date(chat.updatedAt),
      lastMessage: chat.lastMessage ? brief(chat.lastMessage, connection.userId) : undefined,
    };
  };
  const store = derived(() => {
    const shown = [...chats.values()].map(show).toSorted((a, b) => +b.updatedAt - +a.updatedAt);
    return {
      chats: shown,
      unreadTotal: shown.reduce((sum, chat) => sum + chat.unreadCount, 0),
      loaded: isLoaded,
    };
  });
  const changed = (): void => {
    store.changed();
    onPeople();
  };
  // The gateway begins with who is online now.
  connection.listeners.add(() => {
    if (connection.socket) online.clear();
  });
  connection.subscribe<WireChatsChange>(
    "subscription{chatsChanged{isSnapshot removedIds changed{id title participants{id name}unreadCount updatedAt lastMessage{id text:content at:createdAt sender{id name}}}}}",
    {},
    (change) => {
      if (change.isSnapshot) chats.clear();
      change.removedIds.forEach((id) => chats.delete(id));
      change.changed.forEach((chat) => chats.set(chat.id, chat));
      isLoaded = true;
      changed();
    },
  );
  connection.subscribe<WirePresence>("subscription{presenceChanged{online user{id name}}}", {}, (change) => {
    toggle(online, change.user, change.online);
    changed();
  });
  return {
    store,
    me: () =>
      [...chats.values()].flatMap((chat) => chat.participants).find((user) => user.id === connection.userId) ?? {
        id: connection.userId,
        name: "",
      },
    online: (chatId) => onlineOf(chats.get(chatId)?.participants),
  };
}
