/** Of a large allowance a little is taken in advance: what may be done is the same. */
import * as fc from "fast-check";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { describe, expect, test } from "vitest";
import { createMemoryLimiter, toRateLimiter } from "../../src/bus/rate-limiter.ts";

const MINUTE_MS = 60_000;

/** The library's counter, which tells how often it was asked. */
class AskedCounter extends RateLimiterMemory {
  asked = 0;

  override consume(key: string, points?: number) {
    this.asked++;
    return super.consume(key, points);
  }
}

describe("of an allowance of several hundred", () => {
  test("all is used, and nothing beyond, one by one", async () => {
    const take = createMemoryLimiter({ count: 300, windowMs: MINUTE_MS });
    const allowed: number[] = [];
    for (let n = 1; n <= 400; n++) if ((await take("ann")) === 0) allowed.push(n);
    expect(allowed).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
  });

  test("the counter is asked for a part of what is done", async () => {
    const counter = new AskedCounter({ points: 300, duration: 60 });
    const take = toRateLimiter(counter, { count: 300, windowMs: MINUTE_MS });
    for (let n = 0; n < 200; n++) expect(await take("ann")).toBe(0);
    expect(counter.asked).toBe(50);
  });

  test("no more is used, and a hundredth less at most, whatever each costs and however many ask at once", async () => {
    const costs = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }), {
      minLength: 30,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 100, max: 1500 }), costs, async (count, batches) => {
        const take = createMemoryLimiter({ count, windowMs: MINUTE_MS });
        let used = 0;
        /** What would have been used with the first that was refused. */
        let refusedAt: number | undefined;
        for (const batch of batches) {
          const answers = await Promise.all(batch.map((cost) => take("ann", cost)));
          for (const [index, cost] of batch.entries()) {
            if (answers[index] === 0) used += cost;
            else refusedAt ??= used + cost;
          }
        }
        expect(used).toBeLessThanOrEqual(count);
        expect(refusedAt ?? Infinity).toBeGreaterThan(count - Math.min(10, count / 100));
      }),
    );
  });

  test("those of one key are answered in the order in which they asked", async () => {
    const held: (() => void)[] = [];
    class HeldCounter extends RateLimiterMemory {
      override async consume(key: string, points?: number) {
        await new Promise<void>((resolve) => held.push(resolve));
        return super.consume(key, points);
      }
    }
    const take = toRateLimiter(new HeldCounter({ points: 300, duration: 60 }), { count: 300, windowMs: MINUTE_MS });
    const answered: string[] = [];
    const asked: Promise<void>[] = [];
    const ask = (name: string): void => void asked.push(take("ann").then(() => void answered.push(name)));
    ask("first");
    ask("second");
    held.shift()?.();
    await asked[0];
    // The answer to the first has brought some in advance, but the second still waits.
    ask("third");
    await Promise.resolve();
    expect(answered).toEqual(["first"]);
    held.shift()?.();
    await asked[1];
    held.shift()?.();
    await Promise.all(asked);
    expect(answered).toEqual(["first", "second", "third"]);
  });

  test("two that count together never use more than the whole", async () => {
    const counter = new RateLimiterMemory({ points: 300, duration: 60 });
    const rate = { count: 300, windowMs: MINUTE_MS };
    const instances = [toRateLimiter(counter, rate), toRateLimiter(counter, rate)];
    let used = 0;
    for (let n = 0; n < 700; n++) if ((await instances[n % 7 < 2 ? 0 : 1]?.("ann")) === 0) used++;
    expect(used).toBeLessThanOrEqual(300);
    // What one has in advance may stay unused.
    expect(used).toBeGreaterThanOrEqual(297);
  });
});
