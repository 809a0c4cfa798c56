import { Connection } from "./connection.ts";
import { chatList } from "./inbox.ts";
import { createOutbox } from "./outbox.ts";
import { OpenRoom } from "./room.ts";
import type { ChatClient, ChatClientOptions } from "./types.ts";

/**
 * Connects to the gateway at once, and for as long as it takes, until `close`. In a page that a server renders, call it in the
 * browser alone.
 */
export function createChatClient(options: ChatClientOptions): ChatClient {
  const rooms = new Map<string, OpenRoom>();
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
