/** The persisted messages of a chat, each once, in the order in which they are shown. */
export class Timeline {
    /** By their ids, the oldest first. */
    messages = new Map();
    /** Of the whole chat, and of messages that were not here: the last one of each reader, by message and reader. */
    #receipts = new Map();
    get ids() {
        return [...this.messages.keys()];
    }
    /**
     * Inserts a piece of the history before the message at `index`: without an index before the first message that is part of it, or of all.
     * What is here stays where it is. -1 replaces it.
     *
     * @param show a message that is new here, as nobody has read it.
     */
    insert(piece, show, index = Math.max(0, this.ids.findIndex((id) => piece.some((message) => message.id === id)))) {
        const inserted = piece.map((message) => [
            message.id,
            this.messages.get(message.id) ?? show(message),
        ]);
        // The first of two entries of one message stays.
        this.messages = new Map(index < 0 ? inserted : [...this.messages].toSpliced(index, 0, ...inserted));
        piece.forEach((message) => message.readBy.forEach(({ reader }) => this.#addReader(message.id, reader)));
        this.#receipts.forEach((receipt) => this.#apply(receipt, inserted));
    }
    /**
     * A receipt without a message is for the whole chat.
     *
     * @param isNew it is for everything that is here; one that comes late is for the messages of its time.
     */
    read(receipt, isNew) {
        const { messageId, reader } = receipt;
        this.#apply(receipt, this.messages, isNew);
        if (!messageId || !this.messages.has(messageId))
            this.#receipts.set(`${messageId} ${reader.id}`, receipt);
    }
    #apply({ messageId, readAt, reader }, messages, isNew) {
        for (const [id, message] of messages)
            if (messageId ? messageId === id : isNew || +message.at <= Date.parse(readAt))
                this.#addReader(id, reader);
    }
    #addReader(messageId, reader) {
        const message = this.messages.get(messageId);
        if (!message || [message.sender, ...message.readBy].some((user) => user.id === reader.id))
            return;
        this.messages.set(messageId, { ...message, readBy: [...message.readBy, reader] });
    }
}
/** What a list of chats and a list of messages show alike. */
export function brief({ id, text, sender, at }, userId) {
    return { id: id, text, sender, at: new Date(at), mine: sender.id === userId };
}
//# sourceMappingURL=timeline.js.map