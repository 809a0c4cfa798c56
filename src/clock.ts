/** Time, as far as the end of something depends on it: a test brings a clock of its own. */

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

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    function wait(remainingMs: number): void {
      const stepMs = Math.min(remainingMs, MAX_TIMER_MS);
      timer = setTimeout(() => (remainingMs > stepMs ? wait(remainingMs - stepMs) : callback()), stepMs);
      timer.unref();
    }
    wait(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};
