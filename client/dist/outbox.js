import { uniqueId } from "./id.js";
import { operate } from "./operate.js";
import { storedMessages } from "./stored.js";
import { REPEATABLE_MS, RETRY_FOR_MS } from "./times.js";
export function createOutbox(connection, rooms, storage) {
    const stored = storedMessages(storage);
    let messages = [];
    let sending;
    let stop;
    const change = (changed) => {
        stored.save(changed);
        flush(changed);
    };
    const flush = (all = messages) => {
        // What is sent stays until its open chat has it.
        messages = all.filter((message) => !message.id || rooms.get(message.chatId)?.has(message.id) === false);
        const next = messages.find((message) => message.state === "queued" && rooms.get(message.chatId)?.isLive !== false);
        if (!next || sending || !connection.socket)
            return rooms.forEach((chat) => chat.changed());
        if (Date.now() - (next.triedAt ??= Date.now()) > REPEATABLE_MS)
            next.state = "failed";
        else {
            sending = next;
            stop = send(connection, next, rooms.get(next.chatId), (state, id) => {
                sending = undefined;
                next.state = state;
                next.id = id;
                change(messages);
            });
        }
        change(messages);
    };
    /** Nobody knows then whether the message arrives: it stays queued. */
    const abort = () => {
        stop?.();
        sending = undefined;
    };
    const add = (chatId, text, key = uniqueId()) => {
        const added = { key, chatId, text, at: Date.now(), state: "queued" };
        change([...messages, added]);
        return added;
    };
    const discard = (key) => {
        if (sending?.key === key)
            abort();
        change(messages.filter((message) => message.key !== key));
    };
    connection.listeners.add(() => {
        abort();
        flush(stored.welcome(connection.userId, messages));
    });
    return {
        of: (chatId) => messages.filter((message) => message.chatId === chatId),
        stateOf: (message) => (message === sending ? "sending" : message.state),
        add,
        retry(key) {
            const failed = messages.find((message) => message.state === "failed" && message.key === key);
            if (!failed)
                return;
            discard(key);
            add(failed.chatId, failed.text, key);
        },
        discard,
        flush,
        close(chatId) {
            rooms.delete(chatId);
            flush();
        },
    };
}
/** The result aborts it. */
function send(connection, message, room, finish) {
    message.triedAfter ??= room?.newestAt;
    return operate(connection.client, {
        query: "mutation($chatId:ID!,$text:String!,$key:ID!){sendMessage(chatId:$chatId,content:$text,clientMessageId:$key){id}}",
        // The gateway ignores what the document does not declare.
        variables: { ...message },
    }, ({ id }) => finish("sent", id), () => finish("failed"), Date.now() + RETRY_FOR_MS);
}
//# sourceMappingURL=outbox.js.map