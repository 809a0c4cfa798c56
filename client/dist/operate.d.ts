import type { Client } from "graphql-ws";
import { Failure } from "./failure.js";
export type Variables = Record<string, unknown>;
/**
 * Runs an operation over as many connections as it takes, and again after errors that may pass.
 *
 * @param payload sent as it is at each connect.
 * @param ended called where it cannot succeed, or with the first error where it is to run but once.
 * @returns ends it.
 */
export declare function operate<Data>(client: Client, payload: {
    readonly query: string;
    readonly variables: Variables;
}, next?: (data: Data) => void, ended?: (failure: Failure) => void, isOnce?: boolean): () => void;
