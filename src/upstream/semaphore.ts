import type { Deadline } from "./deadline.ts";

/** Lets so many in at once; the others wait in order, and whoever gives up leaves the queue. */
export class Semaphore {
  #free: number;
  #waiting: Set<() => void> | undefined;

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Takes a permit, to be given back with {@link release}, where one is free. Nobody waits then. */
  tryAcquire(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /** Resolves to whether a permit was free before the deadline. */
  async acquire(deadline: Deadline): Promise<boolean> {
    if (this.tryAcquire()) return true;
    const waiting = (this.#waiting ??= new Set());
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const admit = (): void => {
      deadline.onExpiry = undefined;
      resolve(true);
    };
    waiting.add(admit);
    const leave = (): void => {
      waiting.delete(admit);
      resolve(false);
    };
    deadline.onExpiry = leave;
    return promise;
  }

  release(): void {
    const [next] = this.#waiting ?? [];
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting?.delete(next);
    next();
  }
}
