/** Why an operation failed. */
export class Failure extends Error {
    /** The gateway's `extensions.code`; undefined where the connection was given up. */
    code;
    /** When to try again, if the gateway said so. */
    retryAfterMs;
    /** @param cause the gateway's errors; anything else is the end of a connection. */
    constructor(cause) {
        const error = cause?.[0];
        super(error?.message);
        this.code = error?.extensions?.code;
        this.retryAfterMs = error?.extensions?.retryAfterMs;
    }
}
