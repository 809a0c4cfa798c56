import type { Connection } from "./connection.js";
import type { ChatClientOptions, Token } from "./types.js";
/** The next token, whenever one is needed. */
export interface TokenSource {
    current(): Token;
    /** Asks for a token; false where there is none but the one that was refused. Rejects where the application's function does. */
    next(): Promise<boolean>;
    /** The gateway has refused the current token. */
    refuse(): void;
}
/**
 * While there is a connection, gets the next token before the current one expires: after half of the time that is left,
 * and again while there is no other.
 */
export declare function tokenSource(connection: Connection, source: ChatClientOptions["token"]): TokenSource;
