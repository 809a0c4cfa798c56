import type { Connection } from "./connection.js";
import { type WireMessage } from "./wire.js";
/** A page of a chat's history, the oldest first. */
export interface Page {
    readonly nodes: readonly WireMessage[];
    /** Where the page before is; undefined where there is none. */
    readonly start: string | undefined;
}
/** The newest messages, or the newest before a cursor. Rejects with a `Failure`. */
export declare function loadPage(connection: Connection, id: string, last: number, before?: string): Promise<Page>;
