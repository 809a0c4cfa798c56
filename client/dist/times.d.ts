/** All waits and limits of the kit, in a module without imports: esbuild inlines the constants of such modules alone. */
/** A silent network is noticed at the latest after both together. */
export declare const PING_EVERY_MS = 7000;
export declare const PONG_WITHIN_MS = 4000;
/** From the first packet to `connection_ack`. */
export declare const CONNECT_WITHIN_MS = 10000;
/** A connection that is back by then was never shown as lost. */
export declare const GRACE_MS = 5000;
/** Time for the close event of a socket that failed: graphql-ws would take it for the next one's. */
export declare const SHORTEST_PAUSE_MS = 50;
/** So long the gateway recognises a `clientMessageId`, less some time for it to arrive. */
export declare const REPEATABLE_MS: number;
/** So long errors that may pass are waited for; then a person is asked. */
export declare const RETRY_FOR_MS = 10000;
/** Messages of a page of the history. */
export declare const PAGE_SIZE = 50;
/** After a long absence the gap is filled from the history, page by page; more than that is not worth the wait. */
export declare const FILL_PAGE_SIZE = 200;
export declare const MOST_FILLED = 1000;
/** How often typing, and reading, is sent to the gateway. */
export declare const TYPING_EVERY_MS = 2000;
export declare const READ_EVERY_MS = 1000;
/** Messages that are remembered, to recognise a repetition. */
export declare const REMEMBERED = 1000;
