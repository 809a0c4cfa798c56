/** The memory that one connection may hold, whatever for. */

/**
 * Bytes of one connection beside what its operations keep, which is limited by what it may ask for, and what waits to be written: a third for
 * events that wait for readers that iterate, the rest for what its subscriptions have missed.
 */
const CONNECTION_BYTES = 786_432;

/** Readers of what subscriptions have missed that hold something at once. */
const MAX_READERS = 4;

export class ByteBudget {
  readonly #limitBytes: number;
  #keptBytes = 0;
  #queuedBytes = 0;
  #readers = 0;
  #waiting: (() => void)[] | undefined;

  constructor(limitBytes = CONNECTION_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Takes what an operation keeps until {@link drop}. False, and nothing is taken, where all of them would keep more than `limitBytes`. */
  keep(bytes: number, limitBytes: number): boolean {
    if (this.#keptBytes + bytes > limitBytes) return false;
    this.#keptBytes += bytes;
    return true;
  }

  drop(bytes: number): void {
    this.#keptBytes -= bytes;
  }

  /** An event waits, until {@link dequeue}. */
  enqueue(bytes: number): void {
    this.#queuedBytes += bytes;
  }

  dequeue(bytes: number): void {
    this.#queuedBytes -= bytes;
  }

  /** Whether no more events may wait. */
  get areQueuesFull(): boolean {
    return this.#queuedBytes >= this.#limitBytes / 3;
  }

  /** Bytes that one reader may hold: the room is shared with those that wait. */
  get readerBytes(): number {
    const readers = this.#readers + (this.#waiting?.length ?? 0);
    return ((this.#limitBytes / 3) * 2) / Math.min(Math.max(readers, 1), MAX_READERS);
  }

  /** Resolves when one more may read what it has missed. {@link leave} follows. */
  async enter(): Promise<void> {
    if (this.#readers < MAX_READERS) this.#readers++;
    else await new Promise<void>((resolve) => (this.#waiting ??= []).push(resolve));
  }

  /** It holds nothing more. */
  leave(): void {
    const next = this.#waiting?.shift();
    if (next) next();
    else this.#readers--;
    if (this.#waiting?.length === 0) this.#waiting = undefined;
  }
}
