/** Rate limits: rate-limiter-flexible counts, in this process or elsewhere. */
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
export function toRateLimiter(counter: RateLimiterAbstract, { count }: AllowedRate): RateLimiter {
  return async (key, cost = 1) => {
    try {
      // What costs more than the whole allowance takes all of it: otherwise it could never be had.
      await counter.consume(key, Math.min(cost, count));
      return 0;
    } catch (refusal) {
      // Anything but a refusal is a defect, and refuses nobody.
      return refusal instanceof RateLimiterRes ? Math.max(1, refusal.msBeforeNext) : 0;
    }
  };
}
