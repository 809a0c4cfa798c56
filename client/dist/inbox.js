import { derived, toggle } from "./store.js";
import { brief } from "./timeline.js";
/** @param onPeople called when somebody comes or goes. */
export function chatList(connection, onPeople) {
    const chats = new Map();
    const online = new Map();
    let isLoaded = false;
    const onlineOf = (users = []) => users.filter((user) => online.has(user.id));
    const show = (chat) => {
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
    const changed = () => {
        store.changed();
        onPeople();
    };
    // The gateway begins with who is online now.
    connection.listeners.add(() => {
        if (connection.socket)
            online.clear();
    });
    connection.subscribe("subscription{chatsChanged{isSnapshot removedIds changed{id title participants{id name}unreadCount updatedAt lastMessage{id text:content at:createdAt sender{id name}}}}}", {}, (change) => {
        if (change.isSnapshot)
            chats.clear();
        change.removedIds.forEach((id) => chats.delete(id));
        change.changed.forEach((chat) => chats.set(chat.id, chat));
        isLoaded = true;
        changed();
    });
    connection.subscribe("subscription{presenceChanged{online user{id name}}}", {}, (change) => {
        toggle(online, change.user, change.online);
        changed();
    });
    return {
        store,
        me: () => [...chats.values()].flatMap((chat) => chat.participants).find((user) => user.id === connection.userId) ?? {
            id: connection.userId,
            name: "",
        },
        online: (chatId) => onlineOf(chats.get(chatId)?.participants),
    };
}
//# sourceMappingURL=inbox.js.map