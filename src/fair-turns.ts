/** Limits work that one user can cause a lot of to a slice of each turn of the event loop, in which users take turns. */

/** A piece of work may exceed it: the time is looked at between two pieces. */
const SLICE_MS = 8;

/** Of a long list, so many items are one piece of work. A shorter list needs no turn. */
export const ITEMS_PER_PIECE = 32;

export class FairTurns {
  /** By user, in the order in which they have their turns. */
  readonly #waiting = new Map<string, (() => void)[]>();
  /** When the slice of this turn began, as `performance.now()` tells it; undefined where none has. */
  #beganAt: number | undefined;

  /** Resolves when the next piece of the user's work may be done: at once where the slice has time for it and nobody waits. */
  async next(userId: string): Promise<void> {
    if (this.#hasTime) return;
    await new Promise<void>((resolve) => {
      this.#piecesOf(userId).push(resolve);
    });
  }

  /** As {@link next}, before the user's other pieces: what has begun, and takes memory, is finished first. */
  async goOn(userId: string): Promise<void> {
    if (this.#hasTime) return;
    await new Promise<void>((resolve) => {
      this.#piecesOf(userId).unshift(resolve);
    });
  }

  get #hasTime(): boolean {
    const beganAt = this.#beganAt ?? this.#begin();
    return this.#waiting.size === 0 && performance.now() - beganAt < SLICE_MS;
  }

  #piecesOf(userId: string): (() => void)[] {
    let pieces = this.#waiting.get(userId);
    if (!pieces) this.#waiting.set(userId, (pieces = []));
    return pieces;
  }

  #begin(): number {
    setImmediate(() => void this.#nextTurn());
    return (this.#beganAt = performance.now());
  }

  async #nextTurn(): Promise<void> {
    this.#beganAt = undefined;
    if (this.#waiting.size === 0) return;
    const beganAt = this.#begin();
    do {
      this.#resumeNext();
      await microtasksDone();
    } while (this.#waiting.size > 0 && performance.now() - beganAt < SLICE_MS);
  }

  /** One piece of work of the user who has waited for longest. */
  #resumeNext(): void {
    const [first] = this.#waiting;
    if (!first) return;
    const [userId, pieces] = first;
    this.#waiting.delete(userId);
    pieces.shift()?.();
    if (pieces.length > 0) this.#waiting.set(userId, pieces);
  }
}

/** Resolves when what was resumed has done all that it can do in this turn: a tick that is asked for among microtasks comes behind them. */
function microtasksDone(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}
