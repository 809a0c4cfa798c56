import type { ChatClientOptions, Token } from "./types.ts";

/** By then it is too late. */
const LAST_MS = 1000;

/** A timer of more than 24 days would fire at once. */
const LONGEST_TIMER_MS = 86_400_000;

/** The next token, whenever one is needed. */
export class TokenSource {
  current: Token;
  readonly #source: ChatClientOptions["token"];
  readonly #refresh: (token: Token) => void;
  #refused: Token;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: ChatClientOptions["token"], refresh: (token: Token) => void) {
    this.#source = source;
    this.#refresh = refresh;
  }

  /** Asks for a token; false where there is none but the one that was refused. Rejects where the application's function does. */
  async next(): Promise<boolean> {
    const token = await (typeof this.#source === "function" ? this.#source() : this.#source);
    if (!token || token === this.#refused) return false;
    this.current = token;
    return true;
  }

  /** The gateway has refused the current token. */
  refuse(): void {
    this.#refused = this.current;
  }

  /** Gets the next token before the current one expires: after half of the time that is left, and again while there is no other. */
  watch(): void {
    this.pause();
    const { current } = this;
    const leftMs = expiryOf(current) - Date.now();
    const renew = async (): Promise<void> => {
      // Whatever goes wrong here, the session ends with its token, and the next connect asks again.
      await this.next().catch(() => false);
      if (this.current !== current) this.#refresh(this.current);
      this.watch();
    };
    if (leftMs > LAST_MS) this.#timer = setTimeout(renew, Math.min(leftMs / 2, LONGEST_TIMER_MS));
  }

  pause(): void {
    clearTimeout(this.#timer);
  }
}

/** In ms since 1970; NaN where the token is no JWT or never expires. */
function expiryOf(token: Token): number {
  try {
    const [, claims = ""] = String(token).split(".");
    return (JSON.parse(atob(claims.replace(/-/g, "+").replace(/_/g, "/"))) as { exp: number }).exp * 1000;
  } catch {
    return NaN;
  }
}
