/** New documents over HTTP, at the pace at which the gateway reads them: others have their turn of the event loop in between. */

/** How long new documents may take in one turn. */
const TURN_MS = 30;

export class ReadingTurns {
  /** Of the users that wait, in the order in which they have their turns. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #spentMs = 0;
  #isScheduled = false;

  /** Resolves when it is the turn of one of this caller's documents. */
  async begin(caller: string): Promise<void> {
    if (this.#spentMs < TURN_MS && this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => {
      const others = this.#waiting.get(caller);
      if (others) others.push(resolve);
      else this.#waiting.set(caller, [resolve]);
      this.#schedule();
    });
  }

  /** A document took so long. */
  spend(ms: number): void {
    this.#spentMs += ms;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#next());
  }

  /** One document of the next caller: what it costs is not known before. */
  #next(): void {
    this.#isScheduled = false;
    this.#spentMs = 0;
    const [first] = this.#waiting;
    if (!first) return;
    const [caller, documents] = first;
    this.#waiting.delete(caller);
    documents.shift()?.();
    if (documents.length > 0) this.#waiting.set(caller, documents);
    if (this.#waiting.size > 0) this.#schedule();
  }
}
