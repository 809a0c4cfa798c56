import type { Client } from "graphql-ws";
/**
 * Makes a graphql-ws client lossless: at every reconnect `messageAdded(after:)` continues behind the newest message that was received,
 * and a repetition is dropped.
 *
 * It works on subscriptions whose document passes a variable as `after` and selects `cursor`; repetitions are recognised by `id`, where
 * that is selected. Everything else passes as it is. A subscription that cannot continue ends with an error, `CURSOR_EXPIRED` for
 * instance: load the history, then subscribe again.
 */
export declare function resumable(client: Client): Client;
