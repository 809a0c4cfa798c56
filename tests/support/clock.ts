/** A clock that stands still until a test moves it. */
import { EventEmitter, once } from "node:events";
import type { Cancel, Clock } from "../../src/clock.ts";

interface Timer {
  readonly dueAt: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  readonly #events = new EventEmitter().setMaxListeners(0);
  #now: number;

  /** @param now milliseconds since the epoch; the present moment where absent. */
  constructor(now = Date.now()) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer: Timer = { dueAt: this.#now + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    this.#events.emit("change");
    return () => this.#remove(timer);
  }

  /** When the timers that wait are due, in order. */
  get dueTimes(): readonly number[] {
    return [...this.#timers].map(({ dueAt }) => dueAt).toSorted((a, b) => a - b);
  }

  /** Resolves as soon as exactly `count` timers wait: some were set, or cancelled. */
  async waiting(count: number): Promise<void> {
    while (this.#timers.size !== count) await once(this.#events, "change");
  }

  /** Lets `ms` go by: every timer that is due runs, those set meanwhile included, in order and each at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let timer = this.#first(); timer && timer.dueAt <= until; timer = this.#first()) {
      this.#now = timer.dueAt;
      this.#remove(timer);
      timer.callback();
    }
    this.#now = until;
  }

  /** Goes on to the time at which the next timer is due, and runs what is due then. Throws where none waits. */
  advanceToNext(): void {
    const [dueAt] = this.dueTimes;
    if (dueAt === undefined) throw new Error("no timer waits");
    this.advance(dueAt - this.#now);
  }

  /** Of those that are due at the same time, the one set first. */
  #first(): Timer | undefined {
    const [dueAt] = this.dueTimes;
    return [...this.#timers].find((timer) => timer.dueAt === dueAt);
  }

  #remove(timer: Timer): void {
    if (this.#timers.delete(timer)) this.#events.emit("change");
  }
}
