import { derived, toggle } from "./store.js";
import { brief } from "./timeline.js";
import { CHATS, PRESENCE } from "./wire.js";
/** @param onPeople called when somebody comes or goes. */
export function chatList(connection, onPeople) {
    const chats = new Map();
    const online = new Map();
    let me = { id: "", name: "" };
    let isLoaded = false;
    const onlineOf = (users = []) => users.filter(({ id }) => online.has(id));
    const show = (chat) => {
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
    const changed = () => {
        store.changed();
        onPeople();
    };
    // The gateway begins with who is online now.
    connection.listeners.add(() => connection.socket && online.clear());
    connection.subscribe(CHATS, {}, (change) => {
        if (change.isSnapshot)
            chats.clear();
        for (const id of change.removedIds)
            chats.delete(id);
        for (const chat of change.changed) {
            chats.set(chat.id, chat);
            me = chat.participants.find(({ id }) => id === connection.userId) ?? me;
        }
        isLoaded = true;
        changed();
    });
    connection.subscribe(PRESENCE, {}, (change) => {
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
//# sourceMappingURL=inbox.js.map