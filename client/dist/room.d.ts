import type { Connection } from "./connection.js";
import type { ChatList } from "./inbox.js";
import type { OpenChat, Outbox } from "./outbox.js";
import type { Messages, People, Room, ShownMessage } from "./types.js";
/** An open chat: what everybody who opened it shares. */
export declare class OpenRoom implements Room, OpenChat {
    #private;
    readonly messages: import("./store.ts").Derived<Messages>;
    readonly people: import("./store.ts").Derived<People>;
    constructor(id: string, connection: Connection, outbox: Outbox, chats: ChatList);
    open(): this;
    get isLive(): boolean;
    get newestAt(): number;
    has(messageId: string): boolean;
    changed(): void;
    /** One page at a time, however often it is called. */
    loadOlder(): Promise<void>;
    send(text: string): ShownMessage;
    retry(key: string): void;
    discard(key: string): void;
    typing(): void;
    markRead(): void;
    close(): void;
}
