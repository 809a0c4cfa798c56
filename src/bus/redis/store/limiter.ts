/** Rate limits counted in Redis, by all instances together, or by this process alone while Redis is unreachable. */
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { AllowedRate, RateLimiter } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { loadScript } from "../script.ts";

// The library's own script counts whole seconds.
const COUNT = loadScript(import.meta.url, "count.lua");

export function createRedisLimiter(
  connection: RedisConnection,
  keys: RedisKeys,
  { count, windowMs }: AllowedRate,
): RateLimiter {
  const limiter = new RateLimiterRedis({
    // All that the library asks of its client; it fails at once while Redis is disconnected.
    storeClient: {
      rlflxIncr: ([key = "", points = "1"]: readonly string[]) =>
        connection.script(COUNT, [keys.rate(`${count}/${windowMs}:${key}`)], [points, windowMs]),
    },
    keyPrefix: "",
    points: count,
    // Below a second the library would not count with a limit in time; the script knows the window.
    duration: Math.max(1, windowMs / 1000),
    insuranceLimiter: new RateLimiterMemory({ points: count, duration: windowMs / 1000 }),
  });
  return async (key) => {
    try {
      await limiter.consume(key);
      return 0;
    } catch (refusal) {
      // Anything but a refusal is a defect; it keeps nobody from sending.
      return refusal instanceof RateLimiterRes ? Math.max(1, refusal.msBeforeNext) : 0;
    }
  };
}
