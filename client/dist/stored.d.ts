import type { ChatStorage } from "./types.js";
/** A message on its way. */
export interface Pending {
    /** Its `clientMessageId`. */
    readonly key: string;
    readonly chatId: string;
    readonly text: string;
    readonly at: number;
    /** A message that is sent is shown here until the chat's stream brings it to its place. */
    state: "queued" | "failed" | "sent";
    /** When it was first given to a connection. */
    triedAt?: number;
    /** When the newest message was persisted that its open chat showed then, in ms since 1970: no older one is this one. */
    triedAfter?: number | undefined;
    /** The id that the gateway has answered with. */
    id?: string | undefined;
    /** Ends the attempt that is under way. Functions are not stored: the message is queued again when the page is loaded again. */
    stop?: (() => void) | undefined;
}
/** Where messages that are not sent yet survive a reload. */
export interface StoredMessages {
    /** What the same person has stored comes first; nobody's messages are sent as somebody else's. */
    welcome(userId: string, messages: readonly Pending[]): readonly Pending[];
    save(messages: readonly Pending[]): void;
}
export declare function storedMessages(storage: ChatStorage | undefined): StoredMessages;
