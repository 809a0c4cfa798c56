import type { Client } from "graphql-ws";
/**
 * Makes a graphql-ws client lossless: at every reconnect `messageAdded(after:)` continues behind the newest message that was received,
 * and a repetition is dropped. Where the client gives up, the subscription is started again, after waits of 30 s at most and those of the
 * client's own `retryWait`; so it is after errors that may pass: `UPSTREAM_…`, `RATE_LIMITED`, `UNAUTHENTICATED`.
 *
 * It works on subscriptions whose document passes a variable as `after` and selects `cursor`; repetitions are recognised by `id`, where
 * that is selected. `chatsChanged`, `presenceChanged` and `typingChanged`, which begin with the present state, are started again too. Everything else passes as it is.
 *
 * A subscription that cannot continue ends with an error: with the gateway's, `CURSOR_EXPIRED` for instance; with a close event, where
 * the gateway refuses the token (4403) or there was neither `after` nor a message before the client gave up. Load the history, then subscribe again.
 */
export declare function resumable(client: Client): Client;
