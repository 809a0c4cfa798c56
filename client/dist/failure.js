/** Why an operation failed. */
export class Failure extends Error {
    /** @param cause the gateway's errors; anything else is the end of a connection. */
    constructor(cause) {
        const error = cause?.[0];
        super(error?.message, { cause });
        Object.assign(this, error?.extensions);
    }
    /** Whether another attempt may succeed. */
    get isPassing() {
        // `UPSTREAM_…`, `RATE_LIMITED`, and `UNAUTHENTICATED`, after which the connection gets another token; or `undefined`.
        return /^[RUu]/.test(this.code);
    }
}
//# sourceMappingURL=failure.js.map