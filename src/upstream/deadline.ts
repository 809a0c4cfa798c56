/** Is notified when the time of something is over. */
export interface DeadlineListener {
  onExpiry(): void;
}

/**
 * The time that something may take. Cheaper than `AbortSignal.timeout`, which lives, with all that listens to it, until that time is
 * over, however early the work was done: at a thousand requests a second that was most of what survived a garbage collection.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  #expiry: NodeJS.Immediate | undefined;
  #isOver = false;
  /**
   * One at a time: waits follow one another. An object rather than a function: V8 allocates a function literal that is assigned to a
   * property where only a major collection frees it, with everything that it refers to.
   */
  listener: DeadlineListener | undefined;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#expireSoon(), ms).unref();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The work is done. */
  cancel(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#expiry);
  }

  /** Behind what has arrived: where this process was held up, an answer that is there already is not late. */
  #expireSoon(): void {
    this.#expiry = setImmediate(() => this.#expire()).unref();
  }

  #expire(): void {
    this.#isOver = true;
    this.listener?.onExpiry();
  }
}
