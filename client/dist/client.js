import { Connection } from "./connection.js";
import { chatList } from "./inbox.js";
import { createOutbox } from "./outbox.js";
import { OpenRoom } from "./room.js";
/**
 * Connects to the gateway at once, and for as long as it takes, until `close`. In a page that a server renders, call it in the
 * browser alone.
 */
export function createChatClient(options) {
    const rooms = new Map();
    const connection = new Connection(options);
    const outbox = createOutbox(connection, rooms, options.storage);
    const chats = chatList(connection, outbox.flush);
    return {
        graphql: connection.client,
        connection: connection.state,
        inbox: chats.store,
        room(chatId) {
            const room = rooms.get(chatId) ?? new OpenRoom(chatId, connection, outbox, chats);
            rooms.set(chatId, room);
            return room.open();
        },
        close: () => connection.close(),
    };
}
//# sourceMappingURL=client.js.map