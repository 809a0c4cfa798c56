/** Those who wait, in rotation: each caller has a turn for one of its waiters before any caller has another. */
export class Rotation {
  /** By caller, in the order in which they have their turns. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** How many callers wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves in one of the caller's turns. @param isFirst before the caller's other waiters. */
  wait(caller: string, isFirst = false): Promise<void> {
    return new Promise<void>((resolve) => {
      const waiters = this.#waiting.get(caller);
      if (!waiters) this.#waiting.set(caller, [resolve]);
      else if (isFirst) waiters.unshift(resolve);
      else waiters.push(resolve);
    });
  }

  /** Gives the turn to the caller that has waited for longest. */
  next(): void {
    const [first] = this.#waiting;
    if (!first) return;
    const [caller, waiters] = first;
    this.#waiting.delete(caller);
    waiters.shift()?.();
    if (waiters.length > 0) this.#waiting.set(caller, waiters);
  }
}
