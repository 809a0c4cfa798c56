/** What a connection asks for while its user's allowance is used up. */

/** So many times the allowance of a window a client may ask for in vain before it is taken for one that does not listen. */
const PATIENCE = 2;

/** Even where the allowance is small: an ordinary client may have sent some operations before it was told. */
const MIN_PATIENCE = 20;

export class RefusedOperations {
  readonly #patience: number;
  #cost = 0;
  #windowEndsAt = 0;

  /** @param allowance the cost that a user's operations may have in one window. */
  constructor(allowance: number) {
    this.#patience = Math.max(PATIENCE * allowance, MIN_PATIENCE);
  }

  /** Counts an operation that was refused until `retryAfterMs` from now. Returns whether the client goes on far above its limit. */
  add(cost: number, retryAfterMs: number): boolean {
    const now = performance.now();
    if (now >= this.#windowEndsAt) {
      this.#cost = 0;
      this.#windowEndsAt = now + retryAfterMs;
    }
    this.#cost += cost;
    return this.#cost > this.#patience;
  }
}
