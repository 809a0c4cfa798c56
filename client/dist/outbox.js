import { uniqueId } from "./id.js";
import { operate } from "./operate.js";
import { storedMessages } from "./stored.js";
import { REPEATABLE_MS, RETRY_FOR_MS } from "./times.js";
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
        const next = messages.find((message) => message.state === "queued" && (rooms.get(message.chatId)?.isLive ?? true));
        if (next && !stop && connection.socket) {
            if (Date.now() - (next.triedAt ??= Date.now()) > REPEATABLE_MS) {
                next.state = "failed";
                return flush();
            }
            stop = send(connection, next, (state) => {
                stop = undefined;
                next.state = state;
                change(messages);
                if (next.id && (rooms.get(next.chatId)?.has(next.id) ?? true))
                    discard(next.key);
            });
            stored.save(messages);
        }
        rooms.forEach((chat) => chat.changed());
    };
    const abort = () => {
        stop?.();
        stop = undefined;
    };
    const find = (key, state) => messages.find((message) => message.state === state && message.key === key);
    const add = (chatId, text, key = uniqueId()) => {
        const added = { key, chatId, text, at: Date.now(), state: "queued" };
        change([...messages, added]);
        return added;
    };
    const discard = (key) => {
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
            discard(key);
            add(failed.chatId, failed.text, key);
        },
        discard,
        flush,
    };
}
/** The result aborts that: nobody knows then whether the message arrives, and it is queued again. */
function send(connection, message, finish) {
    const { chatId, text, key } = message;
    message.state = "sending";
    const end = operate(connection.client, {
        query: "mutation($id:ID!,$text:String!,$key:ID!){sendMessage(chatId:$id,content:$text,clientMessageId:$key){id}}",
        variables: { id: chatId, text, key },
    }, ({ id }) => {
        message.id = id;
        finish("sent");
    }, () => finish("failed"), Date.now() + RETRY_FOR_MS);
    return () => {
        end();
        message.state = "queued";
    };
}
//# sourceMappingURL=outbox.js.map