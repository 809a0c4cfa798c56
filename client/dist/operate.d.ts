import type { Client } from "graphql-ws";
import { Failure } from "./failure.js";
export type Variables = Record<string, unknown>;
/**
 * Runs an operation over as many connections as it takes, and again after errors that may pass.
 *
 * @param payload sent as it is at each connect.
 * @param ended called where it cannot succeed.
 * @param retryUntil errors count as final from then on, in ms since 1970.
 * @returns ends it.
 */
export declare function operate<Data>(client: Client, payload: {
    readonly query: string;
    readonly variables: Variables;
}, next?: (data: Data) => void, ended?: (failure: Failure) => void, retryUntil?: number): () => void;
/** Runs a query or mutation until it succeeds or cannot succeed. Rejects with a {@link Failure}. */
export declare function run<Data>(client: Client, query: string, variables: Variables): Promise<Data>;
