import type { BriefMessage, ShownMessage } from "./types.js";
import type { WireBrief, WireMessage, WireReceipt } from "./wire.js";
/** The persisted messages of a chat, each once, in the order in which they are shown. */
export declare class Timeline {
    #private;
    /** The oldest first. */
    get ids(): readonly string[];
    has(id: string): boolean;
    append(message: WireMessage, key: string): void;
    prepend(messages: readonly WireMessage[]): void;
    /**
     * Puts a piece of the history where it belongs. What is shown is replaced where the two have nothing in common.
     *
     * @param keyOf the key of a message that is new here.
     */
    merge(messages: readonly WireMessage[], keyOf: (message: WireMessage) => string): void;
    /** A receipt without a message is for all that are here. */
    read({ messageId, reader }: WireReceipt): void;
    shown(userId: string): readonly ShownMessage[];
}
/** What a list of chats and a list of messages show alike. */
export declare function brief({ id, text, sender, at }: WireBrief, userId: string): BriefMessage;
