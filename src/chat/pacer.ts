/** Bounds how often something is done for a key. */
import type { LRUCache } from "lru-cache";
import { createBoundedCache } from "../bounded-cache.ts";

const REMEMBERED = 20_000;

/** A token bucket, and the one time that is put off. */
interface Pace {
  tokens: number;
  refilledAt: number;
  waiting: { readonly timer: NodeJS.Timeout; readonly later: Later } | undefined;
}

/** What was put off. Never rejects. */
type Later = () => Promise<void>;

/**
 * A few times at once, then once in an interval. What has to wait is done once, when its time has come, however often it was asked for
 * meanwhile: for states, of which only the last one counts.
 */
export class Pacer {
  readonly #burst: number;
  readonly #intervalMs: number;
  readonly #paces: LRUCache<string, Pace>;

  constructor(burst: number, intervalMs: number) {
    this.#burst = burst;
    this.#intervalMs = intervalMs;
    // By then a bucket is full again.
    this.#paces = createBoundedCache({ max: REMEMBERED, ttl: burst * intervalMs });
  }

  /** Whether it may be done now. Otherwise `later` is called when it may. */
  take(key: string, later: Later): boolean {
    const now = performance.now();
    const pace = this.#paces.get(key) ?? { tokens: this.#burst, refilledAt: now, waiting: undefined };
    this.#paces.set(key, pace);
    pace.tokens = Math.min(this.#burst, pace.tokens + (now - pace.refilledAt) / this.#intervalMs);
    pace.refilledAt = now;
    if (pace.waiting !== undefined) return false;
    pace.tokens--;
    if (pace.tokens >= 0) return true;
    const due = (): void => {
      pace.waiting = undefined;
      void later();
    };
    // The token that is owed has come back by then.
    const timer = setTimeout(due, -pace.tokens * this.#intervalMs).unref();
    pace.waiting = { timer, later };
    return false;
  }

  /** Nothing waits any longer. @returns what did, for who still does it. */
  close(): readonly Later[] {
    const waiting = [...this.#paces.values()].flatMap((pace) => pace.waiting ?? []);
    this.#paces.clear();
    for (const { timer } of waiting) clearTimeout(timer);
    return waiting.map(({ later }) => later);
  }
}
