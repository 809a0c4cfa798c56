/** How late something may be. */
const TICK_MS = 50;

/** Further away nothing may be due. */
const MAX_DELAY_MS = 1000;

const SLOTS = MAX_DELAY_MS / TICK_MS + 1;

/** Timers of many connections that may be a little late: one timer of the process for all of them, and none while nothing is due. */
export class TimerWheel<Item> {
  readonly #onDue: (item: Item) => void;
  readonly #slots: Item[][] = Array.from({ length: SLOTS }, () => []);
  #slot = 0;
  #size = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param onDue may add the item again, and may not throw. */
  constructor(onDue: (item: Item) => void) {
    this.#onDue = onDue;
  }

  /** Once for each time that the item is added, after `delayMs` and at most a tick more. */
  add(item: Item, delayMs: number): void {
    const ticks = Math.ceil(Math.min(Math.max(delayMs, 1), MAX_DELAY_MS) / TICK_MS);
    this.#slots[(this.#slot + ticks) % SLOTS]?.push(item);
    if (this.#size++ > 0) return;
    const turn = (): void => this.#turn();
    this.#timer = setInterval(turn, TICK_MS);
    this.#timer.unref();
  }

  #turn(): void {
    this.#slot = (this.#slot + 1) % SLOTS;
    const due = this.#slots[this.#slot] ?? [];
    this.#slots[this.#slot] = [];
    for (const item of due) this.#onDue(item);
    this.#size -= due.length;
    if (this.#size === 0) clearInterval(this.#timer);
  }
}
