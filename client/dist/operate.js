import { backoffMs } from "./backoff.js";
import { Failure } from "./failure.js";
/** `UPSTREAM_…`, `RATE_LIMITED`, and `UNAUTHENTICATED`, after which the connection gets another token. */
const PASSING = /^(UPS|RATE|UNA)/;
/**
 * Runs an operation over as many connections as it takes, and again after errors that may pass.
 *
 * @param payload sent as it is at each connect.
 * @param ended called where it cannot succeed.
 * @param retryUntil errors count as final from then on, in ms since 1970.
 * @returns ends it.
 */
export function operate(client, payload, next, ended, retryUntil = Infinity) {
    let failures = 0;
    let isOver = false;
    let timer;
    let unsubscribe;
    const fail = (errors) => {
        if (isOver)
            return;
        const failure = new Failure(errors);
        const { code, retryAfterMs } = failure;
        // Without an explicit position a subscription begins with what is new, and says so.
        const isPassing = !code || PASSING.test(code) || (code === "CURSOR_EXPIRED" && !payload.variables["after"]);
        if (isPassing && Date.now() < retryUntil) {
            timer = setTimeout(start, retryAfterMs ?? backoffMs(++failures));
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
            },
            error: fail,
            // A query or mutation has its result by then.
            complete: () => payload.query.startsWith("s") && fail(),
        });
    };
    start();
    return () => {
        isOver = true;
        clearTimeout(timer);
        unsubscribe();
    };
}
/** Runs a query or mutation until it succeeds or cannot succeed. Rejects with a {@link Failure}. */
export function run(client, query, variables) {
    return new Promise((resolve, reject) => void operate(client, { query, variables }, resolve, reject));
}
