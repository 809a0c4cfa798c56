import type { Variables } from "./operate.js";
import type { ChatClientOptions, Token } from "./types.js";
/** What uses the token. */
interface Session {
    /** Undefined while there is no connection. */
    readonly socket: unknown;
    /** Called when a connection comes about or is lost. */
    readonly listeners: Set<() => void>;
    run(query: string, variables: Variables, retryUntil: number): Promise<unknown>;
}
/** The next token, whenever one is needed. */
export interface TokenSource {
    /** The token to connect with. */
    use(): Token;
    /** Asks for a token; false where there is none but the one that was refused. Rejects where the application's function does. */
    next(): Promise<boolean>;
    /** The gateway has ended the session: its token is not used again. */
    refuse(): void;
}
/**
 * While there is a connection, gets the next token before the current one expires: after half of the time that is left,
 * and again while there is no other.
 */
export declare function tokenSource(session: Session, source: ChatClientOptions["token"]): TokenSource;
export {};
