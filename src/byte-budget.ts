/** The memory that one connection may hold, whatever for. */

/** Bytes of one connection: what its operations keep, and events that wait to be delivered to it. Beside it is what waits to be written. */
const CONNECTION_BYTES = 1_048_576;

export class ByteBudget {
  readonly #limitBytes: number;
  #keptBytes = 0;

  constructor(limitBytes = CONNECTION_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that are held. */
  get usedBytes(): number {
    return this.#keptBytes;
  }

  /** Takes what an operation keeps until {@link drop}. False, and nothing is taken, above half of the budget: the rest is for events. */
  keep(bytes: number): boolean {
    if (this.#keptBytes + bytes > this.#limitBytes / 2) return false;
    this.#keptBytes += bytes;
    return true;
  }

  drop(bytes: number): void {
    this.#keptBytes -= bytes;
  }
}
