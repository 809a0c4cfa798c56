/** How often the log says the same: an outage makes each of thousands of clients fail in the same way. */

/** After a line, the next one of the same message comes so much later at the earliest. */
const INTERVAL_MS = 1000;

/** Lines in one second of messages that were written a moment ago. */
const REPEATED_PER_SECOND = 5;

/** A message that was not written for so long is new. */
const NEW_AFTER_MS = 5000;

/** Messages are literals of the code; more of them are a defect. */
const MAX_MESSAGES = 1000;

interface Written {
  atMs: number;
  suppressed: number;
}

export class LineBudget {
  readonly #written = new Map<string, Written>();
  #secondAt = -Infinity;
  #inSecond = 0;

  /** How many lines of this message were suppressed before this one; undefined where this one is to be, too. */
  admit(message: string): number | undefined {
    const now = performance.now();
    const written = this.#written.get(message);
    if (!written) {
      if (this.#written.size < MAX_MESSAGES) this.#written.set(message, { atMs: now, suppressed: 0 });
      return 0;
    }
    const isNew = now - written.atMs >= NEW_AFTER_MS;
    if (!isNew && (now - written.atMs < INTERVAL_MS || !this.#takeOfSecond(now))) {
      written.suppressed++;
      return undefined;
    }
    const { suppressed } = written;
    written.atMs = now;
    written.suppressed = 0;
    return suppressed;
  }

  #takeOfSecond(now: number): boolean {
    if (now - this.#secondAt >= 1000) {
      this.#secondAt = now;
      this.#inSecond = 0;
    }
    return ++this.#inSecond <= REPEATED_PER_SECOND;
  }
}
