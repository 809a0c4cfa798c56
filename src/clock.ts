/** Time, as far as the end of something depends on it: a test brings a clock of its own. */

import { AsyncLocalStorage } from "node:async_hooks";

/** Stops a timer. Harmless when it has run. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `callback` once, when `delayMs` have gone by; any length will do. A timer holds up no end of the process. */
  after(delayMs: number, callback: () => void): Cancel;
}

/** What a timer of Node.js can wait at most. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs what it is given on nobody's behalf: a timer would keep what belongs to the call that sets it. */
const onNobodysBehalf = AsyncLocalStorage.snapshot();

/** An object, not closures: every token that a session is open with has one. */
class SystemTimer {
  readonly #callback: () => void;
  #remainingMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(delayMs: number, callback: () => void) {
    this.#remainingMs = Math.max(0, delayMs);
    this.#callback = callback;
    this.#wait();
  }

  onStep(): void {
    if (this.#remainingMs > 0) this.#wait();
    else this.#callback();
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const stepMs = Math.min(this.#remainingMs, MAX_TIMER_MS);
    this.#remainingMs -= stepMs;
    this.#timer = setTimeout(step, stepMs, this).unref();
  }
}

function step(timer: SystemTimer): void {
  timer.onStep();
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    const timer = onNobodysBehalf(() => new SystemTimer(delayMs, callback));
    return () => timer.cancel();
  },
};
