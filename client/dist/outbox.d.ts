import type { Connection } from "./connection.js";
import { type Pending } from "./stored.js";
import type { ChatStorage } from "./types.js";
/** What an open chat has to do with its outgoing messages. */
export interface OpenChat {
    /** Whether everything that was missed has come: a message that was tried before is then known to be there or not. */
    readonly isLive: boolean;
    /** When the newest message was persisted, in ms since 1970; 0 where there is none. */
    readonly newestAt: number;
    has(messageId: string): boolean;
    changed(): void;
}
/** Messages that are not persisted yet; those of one chat are sent in order, one at a time. */
export interface Outbox {
    of(chatId: string): readonly Pending[];
    add(chatId: string, text: string, key?: string): Pending;
    /** Sends a failed message again. */
    retry(key: string): void;
    /** Drops a message: it is persisted and shown elsewhere, or nobody wants it any more. */
    discard(key: string): void;
    /** Sends what can be sent now, and tells the open chats. */
    readonly flush: () => void;
    /** The chat is not open any more. */
    close(chatId: string): void;
}
export declare function createOutbox(connection: Connection, rooms: Map<string, OpenChat>, storage?: ChatStorage): Outbox;
