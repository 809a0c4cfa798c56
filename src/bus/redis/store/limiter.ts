/** Allowances counted in Redis, by all instances together; where it is out of reach, by this process alone. */
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { AllowedRate, RateLimiter } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { defineScript } from "../script.ts";

// The library's own script counts whole seconds.
const COUNT = defineScript(`
local consumed = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {consumed, left}
`);

export function createRedisLimiter(
  connection: RedisConnection,
  keys: RedisKeys,
  { count, windowMs }: AllowedRate,
): RateLimiter {
  const limiter = new RateLimiterRedis({
    // All that the library asks of its client; it fails at once where Redis is known to be away.
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
      // What is neither an allowance nor a refusal is a fault of ours; nobody is kept from speaking by it.
      return refusal instanceof RateLimiterRes ? Math.max(1, refusal.msBeforeNext) : 0;
    }
  };
}
