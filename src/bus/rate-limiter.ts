/** Rate limits: rate-limiter-flexible counts, in this process or elsewhere. */
import { createBoundedCache } from "../bounded-cache.ts";
import { RateLimiterMemory, RateLimiterRes, type RateLimiterAbstract } from "rate-limiter-flexible";
import type { AllowedRate, RateLimiter } from "./bus.ts";

/** Counts in this process alone. */
export function createMemoryLimiter(rate: AllowedRate): RateLimiter {
  return toRateLimiter(memoryCounter(rate), rate);
}

/** The library's counter of this process. */
export function memoryCounter({ count, windowMs }: AllowedRate): RateLimiterMemory {
  return new RateLimiterMemory({ points: count, duration: windowMs / 1000 });
}

/** A counter of the library behind the bus's port. */
export function toRateLimiter(counter: RateLimiterAbstract, rate: AllowedRate): RateLimiter {
  const allowances = new Allowances(counter, rate);
  // What costs more than the whole allowance takes all of it: otherwise it could never be had.
  return (key, cost = 1) => allowances.take(key, Math.min(cost, rate.count));
}

/** How much of an allowance is taken in advance: a hundredth of it, and no more than this. */
const MAX_ADVANCE = 10;

/** Keys of which this process has something in advance, or may. */
const MAX_KEYS = 20_000;

/** What this process knows of the allowance of a key in one window. */
interface Allowance {
  /** Taken in advance, and not used. */
  left: number;
  /** When the window ends, as `performance.now()` tells it. */
  endsAt: number;
  /** Of the whole allowance, as of the last answer. */
  remaining: number;
  /** Questions to the counter that are under way. */
  asking: number;
}

/**
 * Takes a little of an allowance in advance, so that not every operation has to be counted elsewhere. It is part of the allowance: no more
 * is ever used. Near its end what somebody else has in advance may stay unused: another instance, or an operation that asks at the same time.
 */
class Allowances {
  readonly #counter: RateLimiterAbstract;
  readonly #count: number;
  readonly #windowMs: number;
  readonly #advance: number;
  readonly #known = createBoundedCache<string, Allowance>({ max: MAX_KEYS });

  constructor(counter: RateLimiterAbstract, { count, windowMs }: AllowedRate) {
    this.#counter = counter;
    this.#count = count;
    this.#windowMs = windowMs;
    this.#advance = Math.min(MAX_ADVANCE, Math.floor(count / 100));
  }

  /** As {@link RateLimiter}. Callers with one key are answered in the order in which they called. */
  async take(key: string, cost: number): Promise<number> {
    if (this.#advance === 0) return this.#ask(key, cost, undefined);
    let known = this.#known.get(key);
    if (!known) {
      known = { left: 0, endsAt: -Infinity, remaining: this.#count, asking: 0 };
      this.#known.set(key, known);
    }
    // Who asks the counter is answered first.
    if (known.asking === 0 && known.left >= cost && performance.now() < known.endsAt) {
      known.left -= cost;
      return 0;
    }
    known.asking++;
    try {
      return await this.#ask(key, cost, known);
    } finally {
      known.asking--;
    }
  }

  /** @param known undefined: nothing is taken in advance. */
  async #ask(key: string, cost: number, known: Allowance | undefined): Promise<number> {
    const askedAt = performance.now();
    const advance = known ? this.#advanceOf(known, cost, askedAt) : 0;
    try {
      const answer = await this.#counter.consume(key, cost + advance);
      if (known) this.#learn(known, answer, advance, askedAt);
      return 0;
    } catch (refusal) {
      // Anything but a refusal is a defect, and refuses nobody.
      if (!(refusal instanceof RateLimiterRes)) return 0;
      if (known) this.#learn(known, refusal, 0, askedAt);
      // Another instance has used what was there, but for the cost. The library counts nothing of whom it has blocked.
      const { consumedPoints, msBeforeNext } = refusal;
      const isCostThere = consumedPoints > this.#count && consumedPoints - advance <= this.#count;
      return isCostThere ? 0 : Math.max(1, msBeforeNext);
    }
  }

  /** Nothing near the end of the allowance, nor while others ask, who need some of what remains. */
  #advanceOf({ left, endsAt, remaining, asking }: Allowance, cost: number, now: number): number {
    const isNewWindow = now >= endsAt;
    const isRoomy = (isNewWindow ? this.#count : remaining) >= 2 * (cost + this.#advance);
    return asking === 1 && isRoomy ? this.#advance - (isNewWindow ? 0 : left) : 0;
  }

  #learn(known: Allowance, answer: RateLimiterRes, advance: number, askedAt: number): void {
    // The counter began the window, or looked at it, after it was asked.
    const endsAt = askedAt + answer.msBeforeNext;
    const isOfNextWindow = endsAt - known.endsAt > this.#windowMs / 2;
    known.left = (isOfNextWindow ? 0 : known.left) + advance;
    known.endsAt = endsAt;
    known.remaining = answer.remainingPoints;
  }
}
