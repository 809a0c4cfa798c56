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
        const next = (result) => {
            const message = result.data?.[alias];
            if (after && message?.cursor) {
                const { cursor, id = cursor } = message;
                variables[after] = cursor;
                if (received.has(id))
                    return;
                const [oldest = ""] = received.add(id);
                if (received.size > REMEMBERED)
                    received.delete(oldest);
            }
            sink.next(result);
        };
        const complete = () => {
            if (running.delete(stop))
                sink.complete();
        };
        const end = persist(client, { ...payload, variables }, {
            next,
            complete,
            error: ({ cause }) => running.delete(stop) && sink.error(cause),
        }, ({ isPassing, cause }) => isPassing &&
            // Nothing is missed by starting again: the latter begin with the present state, whenever they begin.
            (variables[after] || /(chats|presence|typing)Changed/.test(query)) &&
            // These close codes another attempt would end with as well; after 4408 and 4499 it may succeed.
            !/^44(?!08|99)/.test(cause?.code));
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
        iterate: (payload) => iterate(subscribe, payload),
        dispose() {
            for (const stop of running)
                stop();
            return client.dispose();
        },
    };
}
/** What is subscribed to, one by one; `return` ends it. */
function iterate(subscribe, payload) {
    const received = [];
    let wake;
    const push = (take) => {
        received.push(take);
        wake?.();
    };
    const stop = subscribe(payload, {
        next: (result) => push(() => result),
        error: (error) => push(() => {
            throw error;
        }),
        complete: push,
    });
    const iterator = (async function* () {
        for (;;) {
            if (!received.length)
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