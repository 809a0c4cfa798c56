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
            const position = new Position(payload);
            return client.subscribe(position.payload, {
                next: (result) => position.isNew(result) && sink.next(result),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
            });
        },
        iterate(payload) {
            const position = new Position(payload);
            const iterator = client.iterate(position.payload);
            const next = iterator.next.bind(iterator);
            iterator.next = async () => {
                for (;;) {
                    const result = await next();
                    if (result.done || position.isNew(result.value))
                        return result;
                }
            };
            return iterator;
        },
    };
}
/** How far a subscription has come. */
class Position {
    /** The client sends this very object again after a reconnect. */
    payload;
    #advance;
    #received = new Set();
    constructor(payload) {
        const variables = { ...payload.variables };
        this.payload = { ...payload, variables };
        // The document is not parsed: that would take graphql-js.
        const [, alias = "messageAdded", after] = /(?:(\w+)\s*:\s*)?\bmessageAdded\s*\([^)]*\bafter\s*:\s*\$(\w+)/.exec(payload.query.replace(/#.*/g, "")) ?? [];
        if (!after)
            return;
        const advance = ({ [alias]: message }) => {
            if (message?.cursor)
                variables[after] = message.cursor;
            return message;
        };
        this.#advance = advance;
    }
    /** Notes the position of a result; false where it has come before. */
    isNew({ data }) {
        const message = data ? this.#advance?.(data) : undefined;
        const id = message?.id ?? message?.cursor;
        if (!id)
            return true;
        const received = this.#received;
        if (received.has(id))
            return false;
        received.add(id);
        for (const oldest of received)
            if (received.size > REMEMBERED)
                received.delete(oldest);
        return true;
    }
}
