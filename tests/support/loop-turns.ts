/** Turns of the event loop, counted. */
import { setImmediate } from "node:timers/promises";

/** Counts those of this process, which are those of a gateway in it too. */
export class LoopTurns implements Disposable {
  count = 0;
  #next: NodeJS.Immediate;

  constructor() {
    const turn = (): void => {
      this.count++;
      this.#next = globalThis.setImmediate(turn);
    };
    this.#next = globalThis.setImmediate(turn);
  }

  /** Resolves when so many have gone by. */
  async passed(count: number): Promise<void> {
    const until = this.count + count;
    while (this.count < until) await setImmediate();
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#next);
  }
}
