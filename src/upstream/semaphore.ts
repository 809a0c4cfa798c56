/** Lets so many in at once; the others wait in order, and whoever gives up leaves the queue. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Resolves with a permit, to be given back with {@link release}; rejects with the signal's reason, without one, once it is aborted. */
  async acquire(signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = (): void => {
      this.#waiting.delete(admit);
      reject(signal.reason);
    };
    const admit = (): void => {
      signal.removeEventListener("abort", giveUp);
      resolve();
    };
    this.#waiting.add(admit);
    signal.addEventListener("abort", giveUp, { once: true });
    await promise;
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
