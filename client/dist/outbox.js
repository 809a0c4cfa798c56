import { uniqueId } from "./id.js";
import { operate } from "./operate.js";
import { SEND } from "./wire.js";
const PREFIX = "graphql-chat-client:";
/** So long the gateway recognises a `clientMessageId`, less some time for it to arrive. */
const REPEATABLE_MS = 9 * 60_000;
/** So long errors that may pass are waited for; then a person is asked. */
const RETRY_FOR_MS = 10_000;
/** Messages that are not persisted yet, in order, one at a time. */
export class Outbox {
    /** The open chats. */
    rooms;
    #connection;
    #storage;
    /** What this client has stored, or found. */
    #keys = new Set();
    #pending = [];
    sending;
    #stop = () => undefined;
    /** Whose stored messages are here. */
    #owner = "";
    constructor(connection, rooms, storage) {
        this.#connection = connection;
        this.rooms = rooms;
        this.#storage = storage;
        connection.listeners.add(() => {
            this.#stop();
            this.sending = undefined;
            this.#welcome(connection.userId);
            this.flush();
        });
    }
    of(chatId) {
        return this.#pending.filter((pending) => pending.chatId === chatId);
    }
    add(chatId, text, key = uniqueId()) {
        const pending = { key, chatId, text, at: Date.now() };
        this.#change([...this.#pending, pending]);
        return pending;
    }
    retry(key) {
        const failed = this.#find(key);
        if (!failed?.isFailed)
            return;
        this.drop(key);
        this.add(failed.chatId, failed.text, key);
    }
    /** Drops a message: it is persisted and shown elsewhere, or nobody wants it any more. */
    drop(key) {
        const dropped = this.#find(key);
        if (dropped && dropped === this.sending) {
            this.#stop();
            this.sending = undefined;
        }
        this.#change(this.#pending.filter((pending) => pending !== dropped));
    }
    /** Sends what can be sent now. */
    flush() {
        const next = this.#pending.find(({ isFailed, message, chatId }) => !isFailed && !message && (this.rooms.get(chatId)?.isLive ?? true));
        if (next && !this.sending && this.#connection.isConnected) {
            next.triedAt ??= Date.now();
            if (Date.now() - next.triedAt < REPEATABLE_MS)
                this.#send(next);
            else {
                next.isFailed = true;
                this.flush();
            }
        }
        this.rooms.forEach((chat) => chat.changed());
    }
    #send(pending) {
        const { chatId, text, key } = pending;
        this.sending = pending;
        const finish = () => {
            this.sending = undefined;
            this.#change(this.#pending);
        };
        this.#stop = operate(this.#connection.client, { query: SEND, variables: { id: chatId, text, key } }, ({ sendMessage }) => {
            pending.message = sendMessage;
            finish();
            if (this.rooms.get(chatId)?.has(sendMessage.id) ?? true)
                this.drop(key);
        }, () => {
            pending.isFailed = true;
            finish();
        }, Date.now() + RETRY_FOR_MS);
        this.#save();
    }
    #find(key) {
        return this.#pending.find((pending) => pending.key === key);
    }
    #change(pending) {
        this.#pending = pending;
        this.#save();
        this.flush();
    }
    /** What the same person has stored comes first; nobody's messages are sent as somebody else's. */
    #welcome(userId) {
        if (this.#owner === userId)
            return;
        const here = this.#owner ? [] : this.#pending;
        this.#owner = userId;
        this.#pending = [...this.#stored(), ...here];
    }
    #stored() {
        return JSON.parse(this.#storage?.getItem(PREFIX + this.#owner) ?? "[]");
    }
    /** Leaves alone what other tabs of the browser have stored. */
    #save() {
        if (!this.#owner)
            return;
        for (const { key } of this.#pending)
            this.#keys.add(key);
        const others = this.#stored().filter(({ key }) => !this.#keys.has(key));
        const own = this.#pending.filter(({ message }) => !message);
        try {
            this.#storage?.setItem(PREFIX + this.#owner, JSON.stringify([...others, ...own]));
        }
        catch {
            // A full or forbidden storage: the message is sent all the same, as long as the page lives.
        }
    }
}
//# sourceMappingURL=outbox.js.map