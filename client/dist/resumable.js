import { persist } from "./operate.js";
import { REMEMBERED } from "./times.js";
/**
 * Makes a graphql-ws client lossless: at every reconnect `messageAdded(after:)` continues behind the newest message that was received,
 * and a repetition is dropped. Where the client gives up, the subscription is started again, after waits of 30 s at most and those of the
 * client's own `retryWait`; so it is after errors that may pass: `UPSTREAM_…`, `RATE_LIMITED`, `UNAUTHENTICATED`.
 *
 * It works on subscriptions whose document passes a variable as `after` and selects `cursor`; repetitions are recognised by `id`, where
 * that is selected. `chatsChanged`, `presenceChanged` and `typingChanged`, which begin with the present state, are started again too. Everything else passes as it is.
 *
 * A subscription that cannot continue ends with an error: with the gateway's, `CURSOR_EXPIRED` for instance; with a close event, where
 * the gateway refuses the token (4403) or there was neither `after` nor a message before the client gave up. Load the history, then subscribe again.
 */
export function resumable(client) {
    const running = new Set();
    const subscribe = (payload, sink) => {
        // The document is not parsed: that would take graphql-js.
        const query = payload.query.replace(/#.*/g, "");
        const [, alias = "messageAdded", after = ""] = 
        // A selection of messages from a position on: its alias, and the variable with the position.
        /(?:(\w+)\s*:\s*)?\bmessageAdded\s*\([^)]*\bafter\s*:\s*\$(\w+)/.exec(query) ?? [];
        // The client sends this very object again after a reconnect.
        const variables = { ...payload.variables };
        const received = new Set();
        const isNew = (result) => {
            const message = result.data?.[alias];
            if (!after || !message?.cursor)
                return true;
            const { cursor, id = cursor } = message;
            variables[after] = cursor;
            if (received.size > REMEMBERED)
                received.delete(received.values().next().value ?? "");
            return received.size < received.add(id).size;
        };
        const complete = () => {
            if (running.delete(stop))
                sink.complete();
        };
        const end = persist(client, { ...payload, variables }, {
            next: (result) => isNew(result) && sink.next(result),
            complete,
            error: ({ cause }) => running.delete(stop) && sink.error(cause),
        }, ({ isPassing, cause }) => isPassing &&
            // Nothing is missed by starting again: the latter begin with the present state, whenever they begin.
            (!!variables[after] || /\b(chats|presence|typing)Changed\b/.test(query)) &&
            // These close codes another attempt would end with as well; after 4408 and 4499 it may succeed.
            !/^44(?!08|99)/.test(String(cause?.code)));
        const stop = () => {
            end();
            complete();
        };
        running.add(stop);
        return stop;
    };
    return {
        ...client,
        subscribe,
        iterate: (payload) => iterate((sink) => subscribe(payload, sink)),
        dispose() {
            for (const stop of running)
                stop();
            return client.dispose();
        },
    };
}
/** What is subscribed to, one by one; `return` ends it. */
function iterate(subscribe) {
    const received = [];
    let wake;
    const push = (take) => {
        received.push(take);
        wake?.();
    };
    const stop = subscribe({
        next: (result) => push(() => result),
        error: (error) => push(() => {
            throw error;
        }),
        complete: push,
    });
    const iterator = (async function* () {
        for (;;) {
            if (received.length === 0)
                await new Promise((resolve) => (wake = resolve));
            const take = received.shift();
            if (!take)
                return;
            yield take();
        }
    })();
    iterator.return = async () => {
        stop();
        return { done: true, value: undefined };
    };
    return iterator;
}
//# sourceMappingURL=resumable.js.map