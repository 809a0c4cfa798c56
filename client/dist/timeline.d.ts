import type { BriefMessage, ShownMessage } from "./types.js";
import type { WireBrief, WireMessage, WireReceipt } from "./wire.js";
/** The persisted messages of a chat, each once, in the order in which they are shown. */
export declare class Timeline {
    #private;
    /** By their ids, the oldest first. */
    messages: Map<string, ShownMessage>;
    get ids(): readonly string[];
    /**
     * Inserts a piece of the history before the message at `index`: without an index before the first message that is part of it, or of all.
     * What is here stays where it is. -1 replaces it.
     *
     * @param show a message that is new here, as nobody has read it.
     */
    insert(piece: readonly WireMessage[], show: (message: WireMessage) => ShownMessage, index?: number): void;
    /**
     * A receipt without a message is for the whole chat.
     *
     * @param isNew it is for everything that is here; one that comes late is for the messages of its time.
     */
    read(receipt: WireReceipt, isNew?: boolean): void;
}
/** What a list of chats and a list of messages show alike. */
export declare function brief<Id extends string | undefined>({ id, text, sender, at }: Omit<WireBrief, "id" | "at"> & {
    readonly id?: Id;
    readonly at: string | number;
}, userId: string): Omit<BriefMessage, "id"> & {
    readonly id: Id;
};
