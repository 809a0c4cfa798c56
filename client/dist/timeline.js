/** The persisted messages of a chat, each once, in the order in which they are shown. */
export class Timeline {
    /** By the messages' ids. */
    #entries = new Map();
    /** Of the whole chat, and of messages that were not here: the last one of each reader, by message and reader. */
    #receipts = new Map();
    /** The oldest first. */
    get ids() {
        return [...this.#entries.keys()];
    }
    has(id) {
        return this.#entries.has(id);
    }
    /**
     * Inserts a piece of the history before the message at `index`: without an index before the first message that is part of it, or of all.
     * What is here stays where it is. -1 replaces it.
     *
     * @param keyOf the key of a message that is new here.
     */
    insert(messages, keyOf, index = Math.max(0, this.ids.findIndex((id) => messages.some((message) => message.id === id)))) {
        const piece = messages.map((message) => this.#entryOf(message, keyOf));
        const entries = index < 0 ? piece : [...this.#entries.values()].toSpliced(index, 0, ...piece);
        // The first of two entries of one message stays.
        this.#entries = new Map(entries.map((entry) => [entry.message.id, entry]));
    }
    /**
     * A receipt without a message is for the whole chat.
     *
     * @param isNew it is for everything that is here; one that comes late is for the messages of its time.
     */
    read(receipt, isNew) {
        const { messageId, reader } = receipt;
        for (const entry of this.#entries.values())
            if ((isNew && !messageId) || covers(receipt, entry))
                addReader(entry, reader);
        if (!messageId || !this.has(messageId))
            this.#receipts.set(`${messageId} ${reader.id}`, receipt);
    }
    shown(userId) {
        return [...this.#entries.values()].map((entry) => {
            const { message, key, readBy } = entry;
            return (entry.shown ??= { ...brief(message, userId), key, state: "sent", readBy: [...readBy.values()] });
        });
    }
    #entryOf(message, keyOf) {
        const entry = this.#entries.get(message.id) ?? { message, key: keyOf(message), readBy: new Map() };
        for (const { reader } of message.readBy)
            addReader(entry, reader);
        for (const receipt of this.#receipts.values())
            if (covers(receipt, entry))
                addReader(entry, receipt.reader);
        return entry;
    }
}
function covers({ messageId, readAt }, { message }) {
    return messageId ? messageId === message.id : message.at <= readAt;
}
function addReader(entry, reader) {
    if (reader.id === entry.message.sender.id)
        return;
    entry.readBy.set(reader.id, reader);
    entry.shown = undefined;
}
/** What a list of chats and a list of messages show alike. */
export function brief({ id, text, sender, at }, userId) {
    return { id, text, sender, at: new Date(at), mine: sender.id === userId };
}
//# sourceMappingURL=timeline.js.map