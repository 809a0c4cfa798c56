import type { ChatClientOptions, Token } from "./types.ts";

/** Before its token expires a session gets the next one: so much earlier, at most. */
const EARLY_MS = 60_000;

/** By then it is too late. */
const LAST_MS = 1000;

/** A timer of more than 24 days would fire at once. */
const LONGEST_TIMER_MS = 86_400_000;

/** The next token, whenever one is needed. */
export class TokenSource {
  current: Token;
  readonly #source: ChatClientOptions["token"];
  readonly #refresh: (token: string) => void;
  #refused: Token;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: ChatClientOptions["token"], refresh: (token: string) => void) {
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

  /** Gets the next token shortly before the current one expires. */
  watch(): void {
    this.pause();
    const { current } = this;
    const leftMs = expiryOf(current) - Date.now();
    if (!(leftMs > LAST_MS)) return;
    const renew = async (): Promise<void> => {
      // Whatever goes wrong here, the session ends with its token, and the next connect asks again.
      await this.next().catch(() => false);
      if (this.current && this.current !== current) this.#refresh(this.current);
      this.watch();
    };
    this.#timer = setTimeout(renew, Math.min(leftMs - Math.min(EARLY_MS, leftMs / 2), LONGEST_TIMER_MS));
  }

  pause(): void {
    clearTimeout(this.#timer);
  }
}

/** In ms since 1970; NaN where the token is no JWT or never expires. */
function expiryOf(token: Token): number {
  try {
    const claims = atob(token?.split(".")[1]?.replace(/-/g, "+").replace(/_/g, "/") ?? "");
    return (JSON.parse(claims) as { exp: number }).exp * 1000;
  } catch {
    return NaN;
  }
}
