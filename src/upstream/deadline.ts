/**
 * The time that something may take. Cheaper than `AbortSignal.timeout`, which lives, with all that listens to it, until that time is
 * over, however early the work was done: at a thousand requests a second that was most of what survived a garbage collection.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  #isOver = false;
  /** Called when the time is over. One listener at a time: waits follow one another. */
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
