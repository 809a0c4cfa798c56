/** Rate limits counted in Redis, by all instances together, or by this process alone while Redis does not answer. */
import { RateLimiterRedis } from "rate-limiter-flexible";
import { BusUnavailable, type AllowedRate, type RateLimiter } from "../../bus.ts";
import { memoryCounter, toRateLimiter } from "../../rate-limiter.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { loadBareScript } from "../script.ts";

// The library's own script counts whole seconds.
const COUNT = loadBareScript(import.meta.url, "count.lua");

/** How long callers wait for Redis to count. After that this process counts, without a wait, until Redis answers again. */
const PATIENCE_MS = 1000;

export function createRedisLimiter(connection: RedisConnection, keys: RedisKeys, rate: AllowedRate): RateLimiter {
  const { count, windowMs } = rate;
  const counter = new SharedCounter((key, points) =>
    connection.script(COUNT, [keys.rate(`${count}/${windowMs}:${key}`)], [points, windowMs]),
  );
  const limiter = new RateLimiterRedis({
    // All that the library asks of its client.
    storeClient: { rlflxIncr: ([key = "", points = "1"]: readonly string[]) => counter.add(key, points) },
    keyPrefix: "",
    points: count,
    // Below a second the library would not count with a limit in time; the script knows the window.
    duration: Math.max(1, windowMs / 1000),
    // Who has used the allowance up is refused until the window is over, without asking Redis each time.
    inMemoryBlockOnConsumed: count,
    insuranceLimiter: memoryCounter(rate),
  });
  return toRateLimiter(limiter, rate);
}

/** Adds to counters in Redis. Callers are answered in the order in which they called. */
class SharedCounter {
  readonly #add: (key: string, points: string) => Promise<unknown>;
  /** Ends the wait of each caller: with the answer of Redis, or without one. */
  readonly #waiting = new Set<(answer: unknown) => void>();
  #timer: NodeJS.Timeout | undefined;
  /** Whether the time of those who wait is over, unless an answer has arrived already. */
  #isOverdue = false;
  #isSilent = false;
  #isProbing = false;

  constructor(add: (key: string, points: string) => Promise<unknown>) {
    this.#add = add;
  }

  /** Resolves to the count and the ms that its window has left. Rejects where Redis is disconnected or does not answer in time. */
  async add(key: string, points: string): Promise<unknown> {
    if (this.#isSilent) {
      if (!this.#isProbing) void this.#probe(key, points);
      throw new BusUnavailable();
    }
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#waiting.add(resolve);
    const fallSilent = (): void => this.#fallSilent();
    this.#timer ??= setTimeout(() => {
      // Behind what has arrived: where this process was held up, an answer that is there already is not late.
      this.#isOverdue = true;
      setImmediate(fallSilent);
    }, PATIENCE_MS);
    this.#add(key, points).then(resolve, () => resolve(undefined));
    const answer = await promise;
    this.#waiting.delete(resolve);
    this.#noteAnswer();
    if (answer === undefined) throw new BusUnavailable();
    return answer;
  }

  #noteAnswer(): void {
    this.#isOverdue = false;
    if (this.#waiting.size > 0) this.#timer?.refresh();
    else this.#stopTimer();
  }

  /** Nobody waits any longer: a later caller would overtake them. */
  #fallSilent(): void {
    if (!this.#isOverdue) return;
    this.#isOverdue = false;
    this.#isSilent = true;
    this.#stopTimer();
    for (const resolve of this.#waiting) resolve(undefined);
  }

  async #probe(key: string, points: string): Promise<void> {
    this.#isProbing = true;
    try {
      await this.#add(key, points);
      this.#isSilent = false;
    } catch {
      // The next caller tries again.
    } finally {
      this.#isProbing = false;
    }
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
