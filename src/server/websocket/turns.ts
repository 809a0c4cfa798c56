/** Shares each turn of the event loop among the connections that messages arrive on. */
import { microtasksDone } from "../../microtasks.ts";

/**
 * How long messages, and what follows from them at once, may take in one turn: deliveries, answers and timers wait meanwhile. A thousand
 * sockets may have become readable in the same turn.
 */
const TURN_MS = 10;

/** How long those of one connection may take, where few others wait. */
const SHARE_MS = 5;

/** In every so many turns one of those that go on comes first: newcomers in numbers do not keep them waiting for ever. */
const TURNS_OF_NEWCOMERS = 4;

/** What waits for its turn. */
export interface TurnTaker {
  /** Whether it has had one already, and has more to do. */
  readonly goesOn: boolean;
  /** Does a part of what it has to do. @returns whether it would do more in this turn. */
  takeTurn(): boolean;
  /** Its turn is over. From now on it may wait for the next one. */
  leaveTurn(): void;
}

/** First come, first served. */
class TurnQueue {
  #next: readonly TurnTaker[] = [];
  #taken = 0;
  #added: TurnTaker[] = [];

  get size(): number {
    return this.#next.length - this.#taken + this.#added.length;
  }

  add(taker: TurnTaker): void {
    this.#added.push(taker);
  }

  take(): TurnTaker | undefined {
    if (this.#next.length === 0) {
      this.#next = this.#added;
      this.#added = [];
    }
    const taker = this.#next[this.#taken++];
    // A connection that had its turn may be closed: it is not kept in memory here.
    if (this.#taken >= this.#next.length) {
      this.#next = [];
      this.#taken = 0;
    }
    return taker;
  }
}

/** A turn begins with those that wait, and goes on with what arrives then. */
export class Turns {
  /** Those that have not had a turn since they began to wait. They come first. */
  readonly #newcomers = new TurnQueue();
  /** Those that have had one, and have more to do. */
  readonly #others = new TurnQueue();
  #number = 0;
  /** On this process's clock; undefined where nothing has arrived since the last one. */
  #beganAt: number | undefined;

  /** The present turn's. Later ones have greater numbers. */
  get number(): number {
    return this.#number;
  }

  /** Whether further messages are for the next turn. */
  get isOver(): boolean {
    return this.#beganAt !== undefined && performance.now() - this.#beganAt >= TURN_MS;
  }

  /** How long the messages of one connection may take. */
  get shareMs(): number {
    return Math.min(SHARE_MS, TURN_MS / (1 + this.#size));
  }

  /** Something has arrived. */
  begin(): void {
    if (this.#beganAt !== undefined) return;
    this.#beganAt = performance.now();
    this.#schedule();
  }

  /** Does something at once where this turn has time for it, else in a later one. */
  run(work: () => void): void {
    this.begin();
    if (this.isOver) this.add(new Work(work));
    else work();
  }

  /** @param taker does not wait yet. */
  add(taker: TurnTaker): void {
    (taker.goesOn ? this.#others : this.#newcomers).add(taker);
    this.begin();
  }

  get #size(): number {
    return this.#newcomers.size + this.#others.size;
  }

  #schedule(): void {
    setImmediate(() => void this.#next());
  }

  async #next(): Promise<void> {
    this.#number++;
    this.#beganAt = performance.now();
    try {
      await this.#serve();
    } finally {
      if (this.#size > 0) this.#schedule();
      else this.#beganAt = undefined;
    }
  }

  /** Serves as many of those that wait as the turn has time for: one of them at least, none twice. */
  async #serve(): Promise<void> {
    const { size: newcomers } = this.#newcomers;
    const { size: others } = this.#others;
    const areOthersFirst = this.#number % TURNS_OF_NEWCOMERS === 0;
    if (areOthersFirst && others > 0) await this.#serveOne(this.#others);
    for (let count = 0; count < newcomers && (count === 0 || !this.isOver); count++) {
      await this.#serveOne(this.#newcomers);
    }
    for (let count = areOthersFirst ? 1 : 0; count < others; count++) {
      if (this.isOver && (newcomers > 0 || count > 0)) return;
      await this.#serveOne(this.#others);
    }
  }

  async #serveOne(queue: TurnQueue): Promise<void> {
    const taker = queue.take();
    if (!taker) return;
    const until = performance.now() + this.shareMs;
    try {
      do {
        const wantsMore = taker.takeTurn();
        // What follows from it is part of its turn.
        await microtasksDone();
        if (!wantsMore) break;
      } while (performance.now() < until);
    } finally {
      taker.leaveTurn();
    }
  }
}

class Work implements TurnTaker {
  readonly goesOn = false;
  readonly #work: () => void;

  constructor(work: () => void) {
    this.#work = work;
  }

  takeTurn(): boolean {
    this.#work();
    return false;
  }

  leaveTurn(): void {}
}
