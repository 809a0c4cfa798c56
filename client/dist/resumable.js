/** Messages that are remembered, to recognise a repetition. */
const REMEMBERED = 1000;
/**
 * Makes a graphql-ws client lossless: at every reconnect `messageAdded(after:)` continues behind the newest message that was received,
 * and a repetition is dropped.
 *
 * It works on subscriptions whose document passes a variable as `after` and selects `cursor`; repetitions are recognised by `id`, where
 * that is selected. Everything else passes as it is. A subscription that cannot continue ends with an error, `CURSOR_EXPIRED` for
 * instance: load the history, then subscribe again.
 */
export function resumable(client) {
    return {
        ...client,
        subscribe(payload, sink) {
            const [tracked, isNew] = track(payload);
            return client.subscribe(tracked, {
                next: (result) => isNew(result) && sink.next(result),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
            });
        },
        iterate(payload) {
            const [tracked, isNew] = track(payload);
            const iterator = client.iterate(tracked);
            const next = iterator.next.bind(iterator);
            iterator.next = async () => {
                for (;;) {
                    const result = await next();
                    if (result.done || isNew(result.value))
                        return result;
                }
            };
            return iterator;
        },
    };
}
/** A payload that continues behind the newest result, and what tells whether a result has not come before. */
function track(payload) {
    // The document is not parsed: that would take graphql-js.
    const [, alias = "messageAdded", after] = /(?:(\w+)\s*:\s*)?\bmessageAdded\s*\([^)]*\bafter\s*:\s*\$(\w+)/.exec(payload.query.replace(/#.*/g, "")) ?? [];
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
    return [{ ...payload, variables }, isNew];
}
