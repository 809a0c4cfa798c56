import type { Connection } from "./connection.ts";
import { derived, toggle, type Store } from "./store.ts";
import { brief } from "./timeline.ts";
import type { Inbox, User } from "./types.ts";
import { CHATS, PRESENCE, type WireChat, type WireChatsChange } from "./wire.ts";

/** The viewer's chats, and who of the others is online. */
export interface ChatList {
  readonly store: Store<Inbox>;
  readonly me: User;
  online(chatId: string): readonly User[];
}

/** @param onPeople called when somebody comes or goes. */
export function chatList(connection: Connection, onPeople: () => void): ChatList {
  const chats = new Map<string, WireChat>();
  const online = new Map<string, User>();
  let me: User = { id: "", name: "" };
  let isLoaded = false;
  const onlineOf = (users: readonly User[] = []): readonly User[] => users.filter(({ id }) => online.has(id));
  const show = (chat: WireChat): Inbox["chats"][number] => {
    const { title, participants, updatedAt, lastMessage } = chat;
    const others = participants.filter(({ id }) => id !== me.id);
    return {
      ...chat,
      title: title ?? others.map(({ name }) => name).join(", "),
      online: onlineOf(others),
      updatedAt: new Date(updatedAt),
      lastMessage: lastMessage ? brief(lastMessage, me.id) : undefined,
    };
  };
  const store = derived(() => {
    const shown = [...chats.values()].map(show).toSorted((a, b) => +b.updatedAt - +a.updatedAt);
    return {
      chats: shown,
      unreadTotal: shown.reduce((sum, { unreadCount }) => sum + unreadCount, 0),
      loaded: isLoaded,
    };
  });
  const changed = (): void => {
    store.changed();
    onPeople();
  };
  // The gateway begins with who is online now.
  connection.listeners.add(() => connection.socket && online.clear());
  connection.subscribe<WireChatsChange>(CHATS, {}, (change) => {
    if (change.isSnapshot) chats.clear();
    for (const id of change.removedIds) chats.delete(id);
    for (const chat of change.changed) {
      chats.set(chat.id, chat);
      me = chat.participants.find(({ id }) => id === connection.userId) ?? me;
    }
    isLoaded = true;
    changed();
  });
  connection.subscribe<{ user: User; online: boolean }>(PRESENCE, {}, (change) => {
    toggle(online, change.user, change.online);
    changed();
  });
  return {
    store,
    get me() {
      return me;
    },
    online: (chatId) => onlineOf(chats.get(chatId)?.participants),
  };
}
