import { backoffMs } from "./backoff.js";
import { Failure } from "./failure.js";
/**
 * Runs an operation over as many connections as it takes, and again where it fails and may succeed.
 *
 * @param payload sent as it is at each connect.
 * @returns ends it.
 */
export function persist(client, payload, sink, maySucceed) {
    let failures = 0;
    let isOver = false;
    let timer;
    let unsubscribe;
    const fail = (cause) => {
        if (isOver)
            return;
        const failure = new Failure(cause);
        clearTimeout(timer);
        if (maySucceed(failure))
            timer = setTimeout(start, failure.retryAfterMs ?? backoffMs(++failures));
        else {
            isOver = true;
            sink.error(failure);
        }
    };
    const start = () => {
        // A client that gave the operation up still counts it.
        unsubscribe?.();
        unsubscribe = client.subscribe(payload, {
            next(result) {
                if (!result.errors)
                    failures = 0;
                sink.next(result, fail);
            },
            error: fail,
            complete: () => sink.complete(fail),
        });
    };
    start();
    return () => {
        isOver = true;
        unsubscribe?.();
        clearTimeout(timer);
    };
}
/**
 * Runs an operation of the kit, and again after errors that may pass.
 *
 * @param next receives the one field that the operation selects.
 * @param ended called where it cannot succeed.
 * @param retryUntil errors count as final from then on, in ms since 1970.
 * @returns ends it.
 */
export function operate(client, payload, next, ended, retryUntil = Infinity) {
    return persist(client, payload, {
        next({ data, errors }, fail) {
            if (errors)
                fail(errors);
            else
                next(Object.values(data)[0]);
        },
        // A query or mutation has its result by then.
        complete: (fail) => payload.query[0] === "s" && fail(),
        error: ended,
    }, (failure) => Date.now() < retryUntil &&
        // Without an explicit position a subscription begins with what is new, and says so.
        (failure.isPassing || (failure.code === "CURSOR_EXPIRED" && !payload.variables["after"])));
}
//# sourceMappingURL=operate.js.map