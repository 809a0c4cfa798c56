/** How many messages a user may send in a while, over all instances. */
import type { Bus } from "../bus/bus.ts";
import type { Rate } from "../config/config.ts";
import { GatewayError } from "../errors.ts";
import type { Limiter } from "./messages.ts";

/** Rejects with RATE_LIMITED, which says when the next one may be sent. */
export function createMessageLimiter(bus: Pick<Bus<unknown>, "limiter">, rate: Rate): Limiter {
  const take = bus.limiter(rate);
  return async (userId) => {
    const retryAfterMs = await take(userId);
    if (retryAfterMs > 0) throw new GatewayError("RATE_LIMITED", { retryAfterMs });
  };
}
