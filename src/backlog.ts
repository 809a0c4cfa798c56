/** Work in slices that nobody waits for: a user with thousands of chats must not hold up the event loop when a connection closes. */

/** How much of a turn of the event loop it may take, together. */
const SLICE_MS = 8;

/** Steps between two looks at the clock. */
const BETWEEN_LOOKS = 32;

interface Work {
  /** False where there is no further step. */
  step(): boolean;
}

/** Works in the order in which they were added, each at once where there is time in this turn. */
export class Backlog {
  readonly #waiting: Work[] = [];
  /** What this turn has taken. */
  #spentMs = 0;
  #isScheduled = false;
  #isWorking = false;

  /** Takes a step for each item. Items may be added and removed meanwhile; a step may not throw. */
  add<Item>(items: Iterable<Item>, take: (item: Item) => void): void {
    const rest = items[Symbol.iterator]();
    this.#waiting.push({
      step() {
        const next = rest.next();
        if (!next.done) take(next.value);
        return !next.done;
      },
    });
    if (!this.#isWorking) this.#work();
  }

  #work(): void {
    this.#isWorking = true;
    const beganMs = performance.now();
    const untilMs = beganMs + SLICE_MS - this.#spentMs;
    let steps = 0;
    try {
      for (let work = this.#waiting[0]; work; work = this.#waiting[0]) {
        if (steps++ % BETWEEN_LOOKS === 0 && performance.now() >= untilMs) break;
        if (!work.step()) this.#waiting.shift();
      }
    } finally {
      this.#spentMs += performance.now() - beganMs;
      this.#isWorking = false;
      this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#isScheduled = false;
    this.#spentMs = 0;
    if (this.#waiting.length > 0) this.#work();
  }
}
