import type { ChatClientOptions, Token } from "./types.js";
/** The next token, whenever one is needed. */
export declare class TokenSource {
    #private;
    current: Token;
    constructor(source: ChatClientOptions["token"], refresh: (token: Token) => void);
    /** Asks for a token; false where there is none but the one that was refused. Rejects where the application's function does. */
    next(): Promise<boolean>;
    /** The gateway has refused the current token. */
    refuse(): void;
    /** Gets the next token before the current one expires: after half of the time that is left, and again while there is no other. */
    watch(): void;
    pause(): void;
}
