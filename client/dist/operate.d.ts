import type { Client, FormattedExecutionResult, SubscribePayload } from "graphql-ws";
import { Failure } from "./failure.js";
export type Variables = Record<string, unknown>;
type Result = FormattedExecutionResult<Record<string, unknown>, unknown>;
/** With a function that fails the operation all the same. */
interface PersistentSink {
    next(result: Result, fail: (cause?: unknown) => void): void;
    complete(fail: (cause?: unknown) => void): void;
    /** Called where it cannot succeed. */
    error(failure: Failure): void;
}
/**
 * Runs an operation over as many connections as it takes, and again where it fails and may succeed.
 *
 * @param payload sent as it is at each connect.
 * @returns ends it.
 */
export declare function persist(client: Client, payload: SubscribePayload, sink: PersistentSink, maySucceed: (failure: Failure) => unknown): () => void;
/**
 * Runs an operation of the kit, and again after errors that may pass.
 *
 * @param next receives the one field that the operation selects.
 * @param ended called where it cannot succeed.
 * @param retryUntil errors count as final from then on, in ms since 1970.
 * @returns ends it.
 */
export declare function operate<Data>(client: Client, payload: {
    readonly query: string;
    readonly variables: Variables;
}, next: (data: Data) => void, ended: (failure: Failure) => void, retryUntil?: number): () => void;
export {};
