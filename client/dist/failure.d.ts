/** Why an operation failed. */
export declare class Failure extends Error {
    /** The gateway's `extensions.code`; undefined where the connection was given up. */
    readonly code: string | undefined;
    /** When to try again, if the gateway said so. */
    readonly retryAfterMs: number | undefined;
    /** @param cause the gateway's errors; anything else is the end of a connection. */
    constructor(cause?: unknown);
    /** Whether another attempt may succeed. */
    get isPassing(): boolean;
}
