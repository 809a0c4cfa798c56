import type { Connection } from "./connection.js";
import { Derived } from "./store.js";
import type { Inbox, User } from "./types.js";
/** The viewer's chats, and who of the others is online. */
export declare class ChatList {
    #private;
    readonly store: Derived<Inbox>;
    me: User;
    /** @param onPeople called when somebody comes or goes. */
    constructor(connection: Connection, onPeople: () => void);
    online(chatId: string): readonly User[];
}
