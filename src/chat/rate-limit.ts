/** What a user may do in a while, over all instances. */
import type { Bus, RateLimiter } from "../bus/bus.ts";
import type { Rate } from "../config/config.ts";
import { GatewayError } from "../errors.ts";
import type { Limiter } from "./messages.ts";

type RateLimits = Pick<Bus<unknown>, "limiter">;

/** Rejects with RATE_LIMITED, which says when the next message may be sent. */
export function createMessageLimiter(bus: RateLimits, rate: Rate): Limiter {
  const take = bus.limiter(rate);
  return async (userId) => {
    const retryAfterMs = await take(`messages:${userId}`);
    if (retryAfterMs > 0) throw new GatewayError("RATE_LIMITED", { retryAfterMs });
  };
}

/** The operations of each user, by what they cost. */
export class OperationLimit {
  readonly #take: RateLimiter;

  constructor(bus: RateLimits, rate: Rate) {
    this.#take = bus.limiter(rate);
  }

  /** Resolves to 0, or to the milliseconds until the user may go on. Never rejects. */
  take(userId: string, cost: number): Promise<number> {
    return this.#take(`operations:${userId}`, cost);
  }
}
