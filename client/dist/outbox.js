import { uniqueId } from "./id.js";
import { SEND } from "./wire.js";
const PREFIX = "graphql-chat-client:";
/** So long the gateway recognises a `clientMessageId`, less some time for it to arrive. */
const REPEATABLE_MS = 9 * 60_000;
/** Passing errors after which a person is asked. */
const MOST_FAILURES = 4;
/** Messages that are not persisted yet, in order for each chat; one at a time. */
export class Outbox {
    #connection;
    #openChats;
    #storage;
    /** By chat, what takes back the mutation in flight. */
    #flights = new Map();
    #pending = [];
    /** Whose stored messages are here. */
    #owner = "";
    #saving = Promise.resolve();
    constructor(connection, openChats, storage) {
        this.#connection = connection;
        this.#openChats = openChats;
        this.#storage = storage;
        connection.listeners.add((isConnected) => {
            if (isConnected)
                void this.#begin();
            else
                for (const chatId of this.#flights.keys())
                    this.#land(chatId);
        });
    }
    of(chatId) {
        return this.#pending.filter((pending) => pending.chatId === chatId);
    }
    isSending(pending) {
        return this.#flights.has(pending.chatId) && this.#next(pending.chatId) === pending;
    }
    add(chatId, text) {
        const pending = { key: uniqueId(), chatId, text, at: Date.now() };
        this.#append(pending);
        return pending;
    }
    retry(key) {
        const failed = this.#pending.find((pending) => pending.key === key && pending.isFailed);
        if (!failed)
            return;
        this.drop(key);
        const { chatId, text, at } = failed;
        this.#append({ key, chatId, text, at });
    }
    /** Drops a message: it is persisted and shown elsewhere, or nobody wants it any more. */
    drop(key) {
        const dropped = this.#pending.find((pending) => pending.key === key);
        if (!dropped)
            return;
        const isSending = this.isSending(dropped);
        this.#pending = this.#pending.filter((pending) => pending !== dropped);
        this.#save(dropped, true);
        if (isSending)
            this.#land(dropped.chatId);
        else
            this.flush(dropped.chatId);
    }
    /** Sends what can be sent now. */
    flush(chatId) {
        const next = this.#next(chatId);
        const chat = this.#openChats.get(chatId);
        chat?.changed();
        if (!next || !this.#connection.isConnected || this.#flights.has(chatId))
            return;
        if (next.triedAt === undefined)
            next.triedAt = Date.now();
        else if (chat && !chat.isLive)
            return;
        next.isFailed = Date.now() - next.triedAt > REPEATABLE_MS;
        this.#save(next);
        if (next.isFailed)
            this.flush(chatId);
        else
            this.#send(next);
    }
    #append(pending) {
        this.#pending = [...this.#pending, pending];
        this.#save(pending);
        this.flush(pending.chatId);
    }
    #next(chatId) {
        return this.of(chatId).find(({ isFailed, message }) => !isFailed && !message);
    }
    #land(chatId) {
        this.#flights.get(chatId)?.();
        this.#flights.delete(chatId);
        this.flush(chatId);
    }
    #send(pending) {
        const { chatId, text, key } = pending;
        const done = ({ sendMessage }) => {
            this.#flights.delete(chatId);
            pending.message = sendMessage;
            this.#save(pending, true);
            if (this.#openChats.get(chatId)?.has(sendMessage.id) ?? true)
                this.drop(key);
            this.flush(chatId);
        };
        // What may pass is tried again, in its place; a person decides about everything else.
        const failed = ({ isPassing, retryAfterMs }) => {
            const failures = (pending.failures ?? 0) + 1;
            pending.failures = failures;
            pending.isFailed = !isPassing || failures >= MOST_FAILURES;
            this.#save(pending);
            const wait = pending.isFailed ? 0 : (retryAfterMs ?? 500 * 2 ** failures);
            const timer = setTimeout(() => this.#land(chatId), wait);
            this.#flights.set(chatId, () => clearTimeout(timer));
        };
        this.#flights.set(chatId, this.#connection.start(SEND, { id: chatId, text, key }, done, failed));
    }
    /** After a connect: what the same person has stored comes first. */
    async #begin() {
        const { userId } = this.#connection;
        if (this.#owner !== userId) {
            // Nobody's messages are sent as somebody else's.
            if (this.#owner)
                this.#pending = [];
            this.#owner = userId;
            const stored = await this.#stored();
            for (const pending of this.#pending) {
                this.#save(pending);
                delete stored[pending.key];
            }
            this.#pending = [...Object.values(stored), ...this.#pending];
        }
        for (const { chatId } of this.#pending)
            this.flush(chatId);
    }
    async #stored() {
        try {
            return JSON.parse((await this.#storage?.getItem(PREFIX + this.#owner)) ?? "{}");
        }
        catch {
            // Not readable: nothing to send.
            return {};
        }
    }
    /** One change of one message, so that the tabs of a browser leave each other's alone. */
    #save(pending, isDone = false) {
        if (this.#owner)
            this.#saving = this.#saving.then(() => this.#change(pending, isDone));
    }
    async #change(pending, isDone) {
        const stored = await this.#stored();
        if (isDone)
            delete stored[pending.key];
        else
            stored[pending.key] = pending;
        try {
            await this.#storage?.setItem(PREFIX + this.#owner, JSON.stringify(stored));
        }
        catch {
            // A full or forbidden storage: the message is sent all the same, as long as the page lives.
        }
    }
}
