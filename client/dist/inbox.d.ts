import type { Connection } from "./connection.js";
import { type Store } from "./store.js";
import type { Inbox, User } from "./types.js";
/** The viewer's chats, and who of the others is online. */
export interface ChatList {
    readonly store: Store<Inbox>;
    me(): User;
    online(chatId: string): readonly User[];
}
/** @param onPeople called when somebody comes or goes. */
export declare function chatList(connection: Connection, onPeople: () => void): ChatList;
