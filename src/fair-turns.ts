/** Limits work that one user can cause a lot of to a slice of each turn of the event loop, in which users take turns. */
import { microtasksDone } from "./microtasks.ts";
import { Rotation } from "./rotation.ts";

/** A piece of work may exceed it: the time is looked at between two pieces. */
const SLICE_MS = 8;

/** Of a long list, so many items are one piece of work. A shorter list needs no turn. */
export const ITEMS_PER_PIECE = 32;

export class FairTurns {
  readonly #users = new Rotation();
  /** When the slice of this turn began, as `performance.now()` tells it; undefined where none has. */
  #beganAt: number | undefined;

  /** Resolves when the next piece of the user's work may be done: at once where the slice has time for it and nobody waits. */
  async next(userId: string): Promise<void> {
    if (!this.#hasTime) await this.#users.wait(userId);
  }

  /** As {@link next}, before the user's other pieces: what has begun, and takes memory, is finished first. */
  async goOn(userId: string): Promise<void> {
    if (!this.#hasTime) await this.#users.wait(userId, true);
  }

  get #hasTime(): boolean {
    const beganAt = this.#beganAt ?? this.#begin();
    return this.#users.size === 0 && performance.now() - beganAt < SLICE_MS;
  }

  #begin(): number {
    setImmediate(() => void this.#nextTurn());
    return (this.#beganAt = performance.now());
  }

  async #nextTurn(): Promise<void> {
    this.#beganAt = undefined;
    if (this.#users.size === 0) return;
    const beganAt = this.#begin();
    do {
      this.#users.next();
      await microtasksDone();
    } while (this.#users.size > 0 && performance.now() - beganAt < SLICE_MS);
  }
}
