/** Larger than nearly every write. What waits for a slow client keeps so much of it in memory, once. */
const SIZE_BYTES = 16_384;

/**
 * The same piece of memory for one write after another: what the system has taken at once is not needed any more. Memory that is not
 * given back belongs to the write that it was lent to.
 */
export class WriteMemory {
  #free: Buffer | undefined;
  #lent: Buffer | undefined;

  /** Undefined where so much is not kept. */
  lend(bytes: number): Buffer | undefined {
    if (bytes > SIZE_BYTES) return undefined;
    this.#lent = this.#free ?? Buffer.allocUnsafeSlow(SIZE_BYTES);
    this.#free = undefined;
    return this.#lent.subarray(0, bytes);
  }

  /** Nobody will read again what was lent last. */
  giveBack(): void {
    this.#free = this.#lent;
    this.#lent = undefined;
  }
}
