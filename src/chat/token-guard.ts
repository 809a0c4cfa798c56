/** Keeps tokens that nobody here knows from taking up the REST API: who brings refused ones is not asked about any more for a while. */
import { createBoundedCache } from "../bounded-cache.ts";
import type { Bus, RateLimiter } from "../bus/bus.ts";
import type { Rate } from "../config/config.ts";
import { hasCode } from "../errors.ts";
import { networkOf } from "../ip-address.ts";
import type { Log } from "../log.ts";
import type { Counts } from "../measures.ts";
import { Unauthenticated } from "./unauthenticated.ts";

/** How long a token that was refused is refused without asking again. */
const REFUSED_TTL_MS = 5000;

/** How long a token that was accepted counts as known: what it is good for is asked about all the same. */
const KNOWN_TTL_MS = 600_000;

const MAX_TOKENS = 20_000;

const REFUSAL = "Too many refused tokens. Try again later.";

/** Who brings a token. */
export interface TokenSource {
  /** The address of the client; undefined where it is not known. */
  readonly address: string | undefined;
  /** The user whose running session it is to renew. Refused tokens then count for that user as well, and keep others from nothing. */
  readonly userId?: string;
}

/** Of one address, or one user. */
interface Attempts {
  refused: number;
  windowEndsAt: number;
  /** Tokens that the REST API is being asked about. */
  asking: number;
  /** Whether the log has, of the present window, that the allowance is used up. */
  isReported: boolean;
  readonly waiting: (() => void)[];
}

export class TokenGuard {
  readonly #rate: Rate;
  readonly #take: RateLimiter;
  readonly #limited: Counts;
  readonly #log: Log;
  readonly #attempts = new Map<string, Attempts>();
  readonly #known = createBoundedCache<string, true>({ max: MAX_TOKENS, ttl: KNOWN_TTL_MS, updateAgeOnGet: true });
  readonly #refused = createBoundedCache<string, true>({ max: MAX_TOKENS, ttl: REFUSED_TTL_MS });

  /**
   * @param rate how many refused tokens a source may bring: counted over all instances.
   * @param limited counts tokens that are refused without asking.
   */
  constructor(bus: Pick<Bus<unknown>, "limiter">, rate: Rate, limited: Counts, log: Log) {
    this.#limited = limited;
    this.#log = log;
    this.#rate = rate;
    this.#take = bus.limiter(rate);
  }

  /** Whether the REST API has refused the token a moment ago. */
  isRefused(tokenHash: string): boolean {
    return this.#refused.has(tokenHash);
  }

  /**
   * Asks about a token. At most so many tokens of one source are asked about at once as may still be refused; others wait until it is known
   * what came of those. Tokens that were accepted within the last ten minutes neither wait nor count.
   *
   * @param ask rejects with UNAUTHENTICATED where the token is refused.
   * @throws Unauthenticated without asking, where the source's allowance is used up; else as `ask`.
   */
  async ask<T>(tokenHash: string, source: TokenSource, ask: () => Promise<T>): Promise<T> {
    if (this.#known.get(tokenHash)) return this.#record(tokenHash, ask);
    const keys = keysOf(source);
    const [key = ""] = keys;
    await this.#enter(key);
    try {
      return await this.#record(tokenHash, ask);
    } catch (error) {
      if (hasCode(error, "UNAUTHENTICATED")) for (const each of keys) void this.#countRefused(each);
      throw error;
    } finally {
      this.#leave(key);
    }
  }

  /** Drops what is out of date. */
  purge(): void {
    this.#known.purgeStale();
    this.#refused.purgeStale();
    const now = performance.now();
    for (const [key, { asking, windowEndsAt }] of this.#attempts) {
      if (asking === 0 && now >= windowEndsAt) this.#attempts.delete(key);
    }
  }

  async #record<T>(tokenHash: string, ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask();
      this.#known.set(tokenHash, true);
      return answer;
    } catch (error) {
      if (hasCode(error, "UNAUTHENTICATED")) {
        this.#known.delete(tokenHash);
        this.#refused.set(tokenHash, true);
      }
      throw error;
    }
  }

  async #enter(key: string): Promise<void> {
    for (;;) {
      const attempts = this.#attemptsOf(key);
      const left = this.#rate.count - attempts.refused;
      if (left <= 0) {
        this.#limited.add("failed_auth");
        this.#report(key, attempts);
        const retryAfterMs = Math.max(1, Math.ceil(attempts.windowEndsAt - performance.now()));
        throw new Unauthenticated("Token refused", { message: REFUSAL, retryAfterMs });
      }
      if (attempts.asking < left) {
        attempts.asking++;
        return;
      }
      await new Promise<void>((resolve) => attempts.waiting.push(resolve));
    }
  }

  /** Once a window: behind a proxy that is not believed all clients have one address, and are refused together. */
  #report(source: string, attempts: Attempts): void {
    if (attempts.isReported) return;
    attempts.isReported = true;
    this.#log.warn(
      { source },
      "RATE_LIMIT_FAILED_AUTH is reached: unknown tokens are refused without asking the REST API",
    );
  }

  #leave(key: string): void {
    const attempts = this.#attemptsOf(key);
    attempts.asking--;
    const left = this.#rate.count - attempts.refused;
    const count = left <= 0 ? attempts.waiting.length : Math.max(0, left - attempts.asking);
    for (const resume of attempts.waiting.splice(0, count)) resume();
  }

  /** Never rejects. Nobody waits for what other instances have counted: it is known for the next token. */
  async #countRefused(key: string): Promise<void> {
    const attempts = this.#attemptsOf(key);
    attempts.refused++;
    const retryAfterMs = await this.#take(`refused:${key}`);
    if (retryAfterMs === 0) return;
    attempts.refused = Math.max(attempts.refused, this.#rate.count);
    attempts.windowEndsAt = performance.now() + retryAfterMs;
  }

  #attemptsOf(key: string): Attempts {
    const now = performance.now();
    let attempts = this.#attempts.get(key);
    if (!attempts) {
      attempts = { refused: 0, windowEndsAt: now + this.#rate.windowMs, asking: 0, isReported: false, waiting: [] };
      this.#attempts.set(key, attempts);
    }
    if (now >= attempts.windowEndsAt) {
      attempts.refused = 0;
      attempts.isReported = false;
      attempts.windowEndsAt = now + this.#rate.windowMs;
    }
    return attempts;
  }
}

/** The first decides whether the token is asked about; a refusal counts for all. */
function keysOf({ address, userId }: TokenSource): readonly string[] {
  const from = `address:${address === undefined ? "unknown" : networkOf(address)}`;
  return userId === undefined ? [from] : [`user:${userId}`, from];
}
