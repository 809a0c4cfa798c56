import { uniqueId } from "./id.js";
import { operate } from "./operate.js";
import { storedMessages } from "./stored.js";
import { SEND } from "./wire.js";
/** So long the gateway recognises a `clientMessageId`, less some time for it to arrive. */
const REPEATABLE_MS = 9 * 60_000;
/** So long errors that may pass are waited for; then a person is asked. */
const RETRY_FOR_MS = 10_000;
export function createOutbox(connection, rooms, storage) {
    const stored = storedMessages(storage);
    let messages = [];
    /** Defined while a message is being sent. */
    let stop;
    const change = (changed) => {
        messages = changed;
        stored.save(messages);
        flush();
    };
    const flush = () => {
        const next = messages.find(({ state, chatId }) => state === "queued" && (rooms.get(chatId)?.isLive ?? true));
        if (next && !stop && connection.socket) {
            next.triedAt ??= Date.now();
            if (Date.now() - next.triedAt > REPEATABLE_MS) {
                next.state = "failed";
                return flush();
            }
            stop = send(connection, next, () => {
                stop = undefined;
                change(messages);
                if (next.id && (rooms.get(next.chatId)?.has(next.id) ?? true))
                    drop(next.key);
            });
            stored.save(messages);
        }
        rooms.forEach((chat) => chat.changed());
    };
    const abort = () => {
        stop?.();
        stop = undefined;
    };
    const find = (key, state) => messages.find((message) => message.key === key && message.state === state);
    const add = (chatId, text, key = uniqueId()) => {
        const added = { key, chatId, text, at: Date.now(), state: "queued" };
        change([...messages, added]);
        return added;
    };
    const drop = (key) => {
        if (find(key, "sending"))
            abort();
        change(messages.filter((message) => message.key !== key));
    };
    connection.listeners.add(() => {
        abort();
        messages = stored.welcome(connection.userId, messages);
        flush();
    });
    return {
        rooms,
        of: (chatId) => messages.filter((message) => message.chatId === chatId),
        add,
        retry(key) {
            const failed = find(key, "failed");
            if (!failed)
                return;
            drop(key);
            add(failed.chatId, failed.text, key);
        },
        drop,
        flush,
    };
}
/** The result aborts that: nobody knows then whether the message arrives, and it is queued again. */
function send(connection, message, finished) {
    const { chatId, text, key } = message;
    const finish = (state) => {
        message.state = state;
        finished();
    };
    message.state = "sending";
    const end = operate(connection.client, { query: SEND, variables: { id: chatId, text, key } }, ({ id }) => {
        message.id = id;
        finish("sent");
    }, () => finish("failed"), Date.now() + RETRY_FOR_MS);
    return () => {
        end();
        message.state = "queued";
    };
}
//# sourceMappingURL=outbox.js.map