import { Derived, toggle } from "./store.js";
import { brief } from "./timeline.js";
import { CHATS, PRESENCE } from "./wire.js";
/** The viewer's chats, and who of the others is online. */
export class ChatList {
    store = new Derived(() => this.#shown());
    me = { id: "", name: "" };
    #connection;
    #chats = new Map();
    #online = new Map();
    #onPeople;
    #isLoaded = false;
    /** @param onPeople called when somebody comes or goes. */
    constructor(connection, onPeople) {
        this.#connection = connection;
        this.#onPeople = onPeople;
        // The gateway begins with who is online now.
        connection.listeners.add((isConnected) => isConnected && this.#online.clear());
        connection.subscribe("chatsChanged", CHATS, {}, (change) => this.#change(change));
        connection.subscribe("presenceChanged", PRESENCE, {}, ({ user, online }) => {
            toggle(this.#online, user, online);
            this.#peopleChanged();
        });
    }
    online(chatId) {
        return this.#onlineOf(this.#chats.get(chatId)?.participants ?? []);
    }
    #change({ isSnapshot, changed, removedIds }) {
        if (isSnapshot)
            this.#chats.clear();
        for (const id of removedIds)
            this.#chats.delete(id);
        for (const chat of changed) {
            this.#chats.set(chat.id, chat);
            this.me = chat.participants.find(({ id }) => id === this.#connection.userId) ?? this.me;
        }
        this.#isLoaded = true;
        this.#peopleChanged();
    }
    #peopleChanged() {
        this.store.changed();
        this.#onPeople();
    }
    #onlineOf(participants) {
        return participants.filter(({ id }) => this.#online.has(id));
    }
    #shown() {
        const chats = [...this.#chats.values()]
            .map((chat) => this.#show(chat))
            .toSorted((a, b) => +b.updatedAt - +a.updatedAt);
        const unreadTotal = chats.reduce((sum, { unreadCount }) => sum + unreadCount, 0);
        return { chats, unreadTotal, loaded: this.#isLoaded };
    }
    #show(chat) {
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
//# sourceMappingURL=inbox.js.map