/** Timers that run out when a test says so: what happens before they do may take as long as it takes on a busy machine. */
import { EventEmitter, once } from "node:events";

/** The longest time that a timer takes. */
const MAX_MS = 2 ** 31 - 1;

/**
 * Holds the timers of one length that this process sets from now on, with `setTimeout`; all others run as ever. Give what is to be
 * held a length that nothing else has.
 */
export class HeldTimers implements Disposable {
  readonly #callbacks = new Map<NodeJS.Timeout, () => void>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #own = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };

  constructor(delayMs: number) {
    const { setTimeout, clearTimeout } = this.#own;
    const hold = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): NodeJS.Timeout => {
      if (ms !== delayMs) return setTimeout(callback, ms, ...args);
      const timer = setTimeout(() => undefined, MAX_MS).unref();
      this.#callbacks.set(timer, () => callback(...args));
      this.#changes.emit("change");
      return timer;
    };
    const clear: typeof clearTimeout = (timer) => {
      if (typeof timer === "object" && this.#callbacks.delete(timer)) this.#changes.emit("change");
      clearTimeout(timer);
    };
    Object.assign(globalThis, { setTimeout: hold, clearTimeout: clear });
  }

  /** Resolves as soon as exactly `count` timers wait: some were set, or cleared. */
  async waiting(count: number): Promise<void> {
    while (this.#callbacks.size !== count) await once(this.#changes, "change");
  }

  /** Runs those that wait, in the order in which they were set. */
  runOut(): void {
    const callbacks = [...this.#callbacks];
    this.#callbacks.clear();
    for (const [timer, callback] of callbacks) {
      this.#own.clearTimeout(timer);
      callback();
    }
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#own);
  }
}
