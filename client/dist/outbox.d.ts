import type { Connection } from "./connection.js";
import type { ChatStorage } from "./types.js";
import { type WireMessage } from "./wire.js";
/** A message on its way. */
export interface Pending {
    /** Its `clientMessageId`. */
    readonly key: string;
    readonly chatId: string;
    readonly text: string;
    readonly at: number;
    /** When it was first given to a connection. */
    triedAt?: number;
    isFailed?: boolean;
    /** What the gateway has answered; shown here until the chat's stream brings it to its place. */
    message?: WireMessage;
}
/** What an open chat has to do with its outgoing messages. */
export interface OpenChat {
    /** Whether everything that was missed has come: a message that was tried before is then known to be there or not. */
    readonly isLive: boolean;
    has(messageId: string): boolean;
    changed(): void;
}
/** Messages that are not persisted yet, in order, one at a time. */
export declare class Outbox {
    #private;
    /** The open chats. */
    readonly rooms: Map<string, OpenChat>;
    sending: Pending | undefined;
    constructor(connection: Connection, rooms: Map<string, OpenChat>, storage: ChatStorage | undefined);
    of(chatId: string): readonly Pending[];
    add(chatId: string, text: string, key?: string): Pending;
    retry(key: string): void;
    /** Drops a message: it is persisted and shown elsewhere, or nobody wants it any more. */
    drop(key: string): void;
    /** Sends what can be sent now. */
    flush(): void;
}
