import type { Connection } from "./connection.ts";
import { Derived, toggle } from "./store.ts";
import { brief } from "./timeline.ts";
import type { Inbox, InboxChat, User } from "./types.ts";
import { CHATS, PRESENCE, type WireChat, type WireChatsChange } from "./wire.ts";

/** The viewer's chats, and who of the others is online. */
export class ChatList {
  readonly store = new Derived<Inbox>(() => this.#shown());
  me: User = { id: "", name: "" };
  readonly #connection: Connection;
  readonly #chats = new Map<string, WireChat>();
  readonly #online = new Map<string, User>();
  readonly #onPeople: () => void;
  #isLoaded = false;

  /** @param onPeople called when somebody comes or goes. */
  constructor(connection: Connection, onPeople: () => void) {
    this.#connection = connection;
    this.#onPeople = onPeople;
    // The gateway begins with who is online now.
    connection.listeners.add((isConnected) => isConnected && this.#online.clear());
    connection.subscribe<WireChatsChange>("chatsChanged", CHATS, {}, (change) => this.#change(change));
    connection.subscribe<{ user: User; online: boolean }>("presenceChanged", PRESENCE, {}, ({ user, online }) => {
      toggle(this.#online, user, online);
      this.#peopleChanged();
    });
  }

  online(chatId: string): readonly User[] {
    return this.#onlineOf(this.#chats.get(chatId)?.participants ?? []);
  }

  #change({ isSnapshot, changed, removedIds }: WireChatsChange): void {
    if (isSnapshot) this.#chats.clear();
    for (const id of removedIds) this.#chats.delete(id);
    for (const chat of changed) {
      this.#chats.set(chat.id, chat);
      this.me = chat.participants.find(({ id }) => id === this.#connection.userId) ?? this.me;
    }
    this.#isLoaded = true;
    this.#peopleChanged();
  }

  #peopleChanged(): void {
    this.store.changed();
    this.#onPeople();
  }

  #onlineOf(participants: readonly User[]): readonly User[] {
    return participants.filter(({ id }) => this.#online.has(id));
  }

  #shown(): Inbox {
    const chats = [...this.#chats.values()]
      .map((chat) => this.#show(chat))
      .toSorted((a, b) => +b.updatedAt - +a.updatedAt);
    const unreadTotal = chats.reduce((sum, { unreadCount }) => sum + unreadCount, 0);
    return { chats, unreadTotal, loaded: this.#isLoaded };
  }

  #show(chat: WireChat): InboxChat {
    const { userId } = this.#connection;
    const { title, participants, updatedAt, lastMessage } = chat;
    const others = participants.filter(({ id }) => id !== userId);
    return {
      ...chat,
      title: title ?? others.map(({ name }) => name).join(", "),
      online: this.#onlineOf(others),
      updatedAt: new Date(updatedAt),
      lastMessage: lastMessage ? brief(lastMessage, userId) : undefined,
    };
  }
}
