/** Cap the back-off, or a client would stay away as long as the outage lasted. */
const LONGEST_MS = 30_000;
/** Milliseconds before the next attempt: full jitter, so that those who lost their connection together do not return together. */
export function backoffMs(failures) {
    return Math.random() * Math.min(LONGEST_MS, 500 * 2 ** failures);
}
//# sourceMappingURL=backoff.js.map