/** What a user may do in a while, over all instances. */
import { createBoundedCache } from "../bounded-cache.ts";
import type { Bus, RateLimiter } from "../bus/bus.ts";
import type { Rate } from "../config/config.ts";
import { GatewayError } from "../errors.ts";
import type { Counts } from "../measures.ts";
import type { Limiter } from "./messages.ts";

type RateLimits = Pick<Bus<unknown>, "limiter">;

/**
 * Rejects with RATE_LIMITED, which says when the next message may be sent.
 *
 * @param limited counts that.
 */
export function createMessageLimiter(bus: RateLimits, rate: Rate, limited: Counts): Limiter {
  const take = bus.limiter(rate);
  return async (userId) => {
    const retryAfterMs = await take(`messages:${userId}`);
    if (retryAfterMs === 0) return;
    limited.add("messages");
    throw new GatewayError("RATE_LIMITED", { retryAfterMs });
  };
}

const REMEMBERED_USERS = 20_000;

/** The operations of each user, by what they cost. */
export class OperationLimit {
  readonly #take: RateLimiter;
  readonly #limited: Counts;
  /** When the users whose allowance is used up have another one. */
  readonly #resumeAt = createBoundedCache<string, number>({ max: REMEMBERED_USERS });

  /** @param limited counts those that may not run. */
  constructor(bus: RateLimits, rate: Rate, limited: Counts) {
    this.#take = bus.limiter(rate);
    this.#limited = limited;
  }

  /** Resolves to 0, or to the milliseconds until the user may go on. Never rejects. */
  async take(userId: string, cost: number): Promise<number> {
    const retryAfterMs = await this.#take(`operations:${userId}`, cost);
    if (retryAfterMs > 0) {
      this.#limited.add("operations");
      this.#resumeAt.set(userId, performance.now() + retryAfterMs);
    } else if (this.#resumeAt.size > 0) this.#resumeAt.delete(userId);
    return retryAfterMs;
  }

  /** Milliseconds until the user may go on, where {@link take} has said so already; otherwise 0. Takes nothing. */
  waitMs(userId: string): number {
    const resumeAt = this.#resumeAt.size > 0 ? this.#resumeAt.get(userId) : undefined;
    return resumeAt === undefined ? 0 : Math.max(0, resumeAt - performance.now());
  }
}
