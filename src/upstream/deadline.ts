/**
 * The time that something may take. Cheaper than `AbortSignal.timeout`, which lives, with all that listens to it, until that time is
 * over, however early the work was done: at a thousand requests a second that was most of what survived a garbage collection.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  #isOver = false;
  /** Hears of it when the time is over. One listener at a time: what has to be waited for comes one after the other. */
  onExpiry: (() => void) | undefined;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#expire(), ms).unref();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The work is done. */
  cancel(): void {
    clearTimeout(this.#timer);
  }

  #expire(): void {
    this.#isOver = true;
    this.onExpiry?.();
  }
}
