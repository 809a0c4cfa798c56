import { derived, toggle } from "./store.js";
import { brief, Timeline } from "./timeline.js";
import { FILL_PAGE_SIZE, MOST_FILLED, PAGE_SIZE, READ_EVERY_MS, TYPING_EVERY_MS } from "./times.js";
/** An open chat: what everybody who opened it shares. */
export class OpenRoom {
    messages = derived(() => ({
        items: [
            ...this.#timeline.messages.values(),
            ...this.#outbox.of(this.#id).map((pending) => this.#showPending(pending)),
        ],
        hasOlder: !!this.#start,
        loading: this.#isLoading || !!this.#older,
        gap: this.#gap,
        error: this.#error,
    }));
    people = derived(() => ({
        online: this.#chats.online(this.#id),
        typing: [...this.#typing.values()],
    }));
    #id;
    #connection;
    #outbox;
    #chats;
    #timeline = new Timeline();
    #typing = new Map();
    #followed = [];
    #receipts;
    /** Undefined until the history is there. */
    #stream;
    #users = 0;
    /** Where `loadOlder` continues; undefined where there is nothing older. */
    #start;
    #older;
    #isLoading = true;
    #gap;
    #error;
    /** The newest message when it was asked last to mark the chat. */
    #unread;
    #readId;
    #typedAt = 0;
    #isReading;
    constructor(id, connection, outbox, chats) {
        this.#id = id;
        this.#connection = connection;
        this.#outbox = outbox;
        this.#chats = chats;
        connection.listeners.add(this.#forgetTyping);
        this.#follow("subscription($id:ID!){typingChanged(chatId:$id){isTyping user{id name}}}", (change) => {
            toggle(this.#typing, change.user, change.isTyping);
            this.people.changed();
        });
        this.#receipts = this.#follow("subscription($id:ID!){readReceipt(chatId:$id){messageId readAt reader{id name}}}", (receipt) => {
            this.#timeline.read(receipt, this.#receipts.isLive);
            this.changed();
        }, 
        // Receipts from before are in the history alone.
        (isNew) => isNew && !this.#isLoading && this.#loadReceipts().catch(this.#ended));
        this.#load();
    }
    open() {
        this.#users++;
        return this;
    }
    get isLive() {
        return !!(this.#error || this.#stream?.isLive);
    }
    get newestAt() {
        return +([...this.#timeline.messages.values()].at(-1)?.at ?? 0);
    }
    has(messageId) {
        return this.#timeline.messages.has(messageId);
    }
    changed() {
        this.messages.changed();
        this.people.changed();
    }
    /** One page at a time, however often it is called. */
    loadOlder() {
        return (this.#older ??= this.#loadOlder().finally(() => {
            this.#older = undefined;
            this.changed();
        }));
    }
    send(text) {
        // The next key stroke is sent at once.
        this.#typedAt = 0;
        return this.#showPending(this.#outbox.add(this.#id, text));
    }
    retry(key) {
        this.#outbox.retry(key);
    }
    discard(key) {
        this.#outbox.discard(key);
    }
    typing() {
        const now = Date.now();
        if (now - this.#typedAt < TYPING_EVERY_MS || !this.#connection.socket)
            return;
        this.#typedAt = now;
        // Nobody misses an indicator that was not shown.
        this.#connection
            .run("mutation($id:ID!){setTyping(chatId:$id,isTyping:true){isTyping}}", { id: this.#id }, now)
            .catch(() => undefined);
    }
    markRead() {
        this.#unread = this.#timeline.ids.at(-1);
        this.#markOne();
    }
    /** One at a time, and one in a second at most: what is asked for meanwhile follows. */
    #markOne() {
        if (this.#isReading || this.#readId === this.#unread)
            return;
        this.#isReading = true;
        this.#readId = this.#unread;
        void this.#connection
            .run("mutation($id:ID!){markChatRead(chatId:$id){readAt}}", { id: this.#id })
            // After a failure a later call tries again.
            .catch(() => (this.#unread = this.#readId = undefined))
            .then(() => setTimeout(() => {
            this.#isReading = false;
            this.#markOne();
        }, READ_EVERY_MS));
    }
    close() {
        // A component that is mounted anew at once keeps its room.
        setTimeout(() => {
            if (--this.#users)
                return;
            // What was marked as read is so all the same.
            this.#outbox.close(this.#id);
            this.#connection.listeners.delete(this.#forgetTyping);
            this.#followed.forEach((followed) => followed.stop());
        });
    }
    #follow(query, next, live, variables = { id: this.#id }) {
        const followed = this.#connection.subscribe(query, variables, next, live, this.#ended);
        this.#followed.push(followed);
        return followed;
    }
    #followMessages(after) {
        const variables = { id: this.#id, after };
        this.#stream = this.#follow("subscription($id:ID!,$after:String){messageAdded(chatId:$id,after:$after){id text:content at:createdAt sender{id name}clientMessageId cursor readBy{reader{id name}}}}", (message) => {
            variables.after = message.cursor;
            this.#typing.delete(message.sender.id);
            this.#insert([message], Infinity);
        }, (isNew) => {
            // Without a cursor, what came before this moment is not part of the stream.
            if (isNew)
                this.#loadNewest().then((end) => (variables.after ??= end), this.#ended);
            this.#outbox.flush();
        }, variables);
    }
    #forgetTyping = () => {
        this.#typing.clear();
        this.people.changed();
    };
    #ended = ({ code }) => {
        // Too much was missed.
        if (code === "CURSOR_EXPIRED")
            return this.#load();
        this.#isLoading = false;
        this.#error = code;
        this.changed();
    };
    /** Loads the newest messages with what is missing before them, and follows what comes after. */
    #load() {
        this.#loadNewest()
            .then((end) => this.#users > 0 && this.#followMessages(end), this.#ended)
            .finally(this.#connection.hold());
    }
    /** Resolves to the cursor of the newest message. */
    async #loadNewest() {
        // What comes live meanwhile follows the page without a gap.
        const known = this.#timeline.ids;
        let { nodes, start } = await this.#page(PAGE_SIZE);
        const isGap = () => start && known[0] && !nodes.some((message) => known.includes(message.id));
        while (isGap() && nodes.length < MOST_FILLED) {
            const before = await this.#page(FILL_PAGE_SIZE, start);
            nodes = before.nodes.concat(nodes);
            ({ start } = before);
        }
        this.#gap = isGap() ? "history-reloaded" : undefined;
        this.#isLoading = false;
        this.#insert(nodes, this.#gap && -1);
        if (nodes[0]?.id === this.#timeline.ids[0])
            this.#start = start;
        return nodes.at(-1)?.cursor;
    }
    /** Loads what is shown again, with those who have read it. */
    async #loadReceipts(before) {
        const { nodes, start } = await this.#page(FILL_PAGE_SIZE, before);
        const shown = nodes.filter((message) => this.has(message.id));
        this.#insert(shown, Infinity);
        if (start && shown[0] === nodes[0])
            await this.#loadReceipts(start);
    }
    async #loadOlder() {
        const before = this.#start;
        if (!before)
            return;
        this.changed();
        const { nodes, start } = await this.#page(PAGE_SIZE, before);
        // Loaded anew meanwhile: this page may not be the one before.
        if (this.#start !== before)
            return;
        this.#insert(nodes, 0);
        this.#start = start;
    }
    /** The newest messages, or the newest before a cursor. */
    async #page(last, before) {
        const { messages: { nodes, pageInfo }, } = await this.#connection.run("query($id:ID!,$last:Int!,$before:String){chat(id:$id){messages(last:$last,before:$before){nodes{id text:content at:createdAt sender{id name}clientMessageId cursor readBy{reader{id name}}}pageInfo{hasPreviousPage}}}}", { id: this.#id, last, before });
        return { nodes, start: pageInfo.hasPreviousPage ? nodes[0]?.cursor : undefined };
    }
    #insert(messages, index) {
        this.#timeline.insert(messages, (message) => this.#show(message, this.#replaceCopy(message)), index);
        this.changed();
    }
    #showPending(pending) {
        return this.#show({ ...pending, sender: this.#chats.me() }, pending.key, pending.stop ? "sending" : pending.state);
    }
    #show(message, key, state = "sent") {
        return { ...brief(message, this.#connection.userId), key, state, readBy: [] };
    }
    /** Takes the optimistic copy of a persisted message away; the result is its key, or else the message's own. */
    #replaceCopy({ id, clientMessageId, text, sender, at }) {
        if (sender.id !== this.#connection.userId)
            return id;
        const copy = this.#outbox.of(this.#id).find((pending) => pending.id || clientMessageId
            ? pending.id === id || pending.key === clientMessageId
            : // The history does not know keys. One whose answer was lost is recognised by what it says, if it was not there before.
                pending.text.trim() === text && pending.triedAfter < Date.parse(at));
        if (copy)
            this.#outbox.discard(copy.key);
        return copy?.key ?? clientMessageId ?? id;
    }
}
//# sourceMappingURL=room.js.map