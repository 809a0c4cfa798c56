import { NextFrames } from "./frames.ts";
import { TimerWheel } from "./timer-wheel.ts";
import { WriteMemory } from "./write-memory.ts";

interface Flushed {
  /** Writes what waits for the end of the turn. */
  flush(): void;
}

/** Writes the outboxes of one server at the end of the turn in which they got something. */
export class Flusher {
  /** Bytes that may wait for one client before it lags. */
  readonly budgetBytes: number;
  #outboxes: Flushed[] = [];
  /** Frames that a server's sockets share. */
  readonly frames = new NextFrames();
  readonly memory = new WriteMemory();
  /** Outboxes with something to confirm and nothing to write at present. */
  readonly confirmations = new TimerWheel<{ confirmLate(): void }>((outbox) => outbox.confirmLate());
  #turnAt = -Infinity;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  /** When this turn's writing began, as `performance.now()` tells it; before that, when the last one's did. */
  get turnAt(): number {
    return this.#turnAt;
  }

  add(outbox: Flushed): void {
    if (this.#outboxes.push(outbox) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#turnAt = performance.now();
    const outboxes = this.#outboxes;
    this.#outboxes = [];
    for (const outbox of outboxes) outbox.flush();
  }
}
