/** How many messages one connection may send. */
import type { Rate } from "../../config/config.ts";

/** Messages for each operation that its user may run: `subscribe`, `complete`, and some pings. */
const MESSAGES_PER_OPERATION = 3;

/** A long message counts for several: it is parsed. */
const BYTES_OF_A_MESSAGE = 8192;

/** A token bucket, as the instant at which it is full again. */
export class MessageBudget {
  readonly #windowMs: number;
  readonly #messageMs: number;
  #fullAt = 0;

  /** @param operations the rate of a user's operations. */
  constructor({ count, windowMs }: Rate) {
    this.#windowMs = windowMs;
    this.#messageMs = windowMs / (count * MESSAGES_PER_OPERATION);
  }

  /** Takes a message of so many bytes, whether there is room for it or not. */
  take(bytes: number): void {
    const cost = 1 + Math.floor(bytes / BYTES_OF_A_MESSAGE);
    this.#fullAt = Math.max(this.#fullAt, performance.now()) + cost * this.#messageMs;
  }

  /** Milliseconds until the next message may be handled: 0 where it may be now. */
  get waitMs(): number {
    return Math.max(0, this.#fullAt - performance.now() - this.#windowMs);
  }

  /** Whether most of it may be used at once. */
  get hasRecovered(): boolean {
    return this.#fullAt - performance.now() < this.#windowMs / 2;
  }
}
