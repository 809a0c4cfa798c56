import { backoffMs } from "./backoff.js";
import { Failure } from "./failure.js";
/**
 * Runs an operation over as many connections as it takes, and again after errors that may pass.
 *
 * @param payload sent as it is at each connect.
 * @param ended called where it cannot succeed, or with the first error where it is to run but once.
 * @returns ends it.
 */
export function operate(client, payload, next, ended, isOnce = false) {
    let failures = 0;
    let isOver = false;
    let timer;
    let unsubscribe;
    const fail = (errors) => {
        if (isOver)
            return;
        const failure = new Failure(errors);
        // Without an explicit position a subscription begins with what is new, and says so.
        if (!isOnce && (failure.isPassing || (failure.code === "CURSOR_EXPIRED" && !payload.variables["after"]))) {
            timer = setTimeout(start, failure.retryAfterMs ?? backoffMs(++failures));
        }
        else {
            isOver = true;
            ended?.(failure);
        }
    };
    const start = () => {
        unsubscribe = client.subscribe(payload, {
            next({ data, errors }) {
                failures = 0;
                if (errors)
                    fail(errors);
                else
                    next?.(data);
                isOver ||= isOnce;
            },
            error: fail,
            complete: fail,
        });
    };
    start();
    return () => {
        isOver = true;
        clearTimeout(timer);
        unsubscribe();
    };
}
