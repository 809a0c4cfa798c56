import { uniqueId } from "./id.js";
import { operate } from "./operate.js";
import { storedMessages } from "./stored.js";
import { REPEATABLE_MS, RETRY_FOR_MS } from "./times.js";
export function createOutbox(connection, rooms, storage) {
    const stored = storedMessages(storage);
    let messages = [];
    const change = (changed) => {
        stored.save(changed);
        flush(changed);
    };
    const flush = (all = messages) => {
        // What is sent stays until its open chat has it.
        messages = all.filter((message) => !message.id || rooms.get(message.chatId)?.has(message.id) === false);
        const next = messages.find((message) => message.state === "queued" &&
            rooms.get(message.chatId)?.isLive !== false &&
            !messages.some((other) => other.stop && other.chatId === message.chatId));
        if (!next || !connection.socket)
            return rooms.forEach((chat) => chat.changed());
        if (Date.now() - (next.triedAt ??= Date.now()) > REPEATABLE_MS)
            next.state = "failed";
        else {
            next.triedAfter ??= rooms.get(next.chatId)?.newestAt;
            send(connection.client, next, () => change(messages));
        }
        // And the first of the next chat.
        change(messages);
    };
    const add = (chatId, text, key = uniqueId()) => {
        const added = { key, chatId, text, at: Date.now(), state: "queued" };
        change([...messages, added]);
        return added;
    };
    const discard = (key) => {
        messages.find((message) => message.key === key)?.stop?.();
        change(messages.filter((message) => message.key !== key));
    };
    connection.listeners.add(() => {
        messages.forEach((message) => {
            // Nobody knows whether it arrives: it stays queued.
            message.stop?.();
            message.stop = undefined;
        });
        // What was written before anybody was known is stored now: it may have to wait for its chat.
        change(stored.welcome(connection.userId, messages));
    });
    return {
        of: (chatId) => messages.filter((message) => message.chatId === chatId),
        add,
        retry(key) {
            const failed = messages.find((message) => message.key === key);
            if (failed?.state !== "failed")
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
function send(client, message, changed) {
    const finish = (sent) => {
        message.stop = undefined;
        message.id = sent?.id;
        message.state = sent ? "sent" : "failed";
        changed();
    };
    message.stop = operate(client, {
        query: "mutation($chatId:ID!,$text:String!,$key:ID!){sendMessage(chatId:$chatId,content:$text,clientMessageId:$key){id}}",
        // The gateway ignores what the document does not declare.
        variables: { ...message },
    }, finish, () => finish(), Date.now() + RETRY_FOR_MS);
}
//# sourceMappingURL=outbox.js.map