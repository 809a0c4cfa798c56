/** How many messages a user may send in a while. */
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Rate } from "../config.ts";
import { GatewayError } from "../errors.ts";
import type { Limiter } from "./messages.ts";

/** Rejects with RATE_LIMITED, which says when the next one may be sent. */
export function createMemoryLimiter({ count, windowMs }: Rate): Limiter {
  const limiter = new RateLimiterMemory({ points: count, duration: windowMs / 1000 });
  return async (userId) => {
    try {
      await limiter.consume(userId);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      throw new GatewayError("RATE_LIMITED", { retryAfterMs: Math.max(1, refusal.msBeforeNext) });
    }
  };
}
