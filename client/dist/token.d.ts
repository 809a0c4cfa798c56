import type { ChatClientOptions, Token } from "./types.js";
/** The next token, whenever one is needed. */
export interface TokenSource {
    readonly current: Token;
    /** Asks for a token; false where there is none but the one that was refused. Rejects where the application's function does. */
    next(): Promise<boolean>;
    /** The gateway has refused the current token. */
    refuse(): void;
    /** Gets the next token before the current one expires: after half of the time that is left, and again while there is no other. */
    watch(): void;
    pause(): void;
}
/** @param refresh called with a token that takes the place of one that is about to expire. */
export declare function tokenSource(source: ChatClientOptions["token"], refresh: (token: Token) => void): TokenSource;
