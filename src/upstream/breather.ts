/** Long work in slices: others have their turn on the event loop in between. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** How long one slice may take. */
const SLICE_MS = 8;

export class Breather {
  #sliceBegan = performance.now();

  /** Whether this slice has taken its time. */
  get isDue(): boolean {
    return performance.now() - this.#sliceBegan >= SLICE_MS;
  }

  /** Lets others have their turn, and begins the next slice. */
  async breathe(): Promise<void> {
    await nextTurn();
    this.#sliceBegan = performance.now();
  }
}
