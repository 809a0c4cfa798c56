/** Shares each turn of the event loop among the connections that messages arrive on. */
import { microtasksDone } from "../../microtasks.ts";

/**
 * How long messages, and what follows from them at once, may take in one turn: deliveries, answers and timers wait meanwhile. A thousand
 * sockets may have become readable in the same turn.
 */
const TURN_MS = 10;

/** How long those of one connection may take, where few others wait. */
const SHARE_MS = 5;

/** What waits for its turn. */
export interface TurnTaker {
  /** Whether it has had one already, and has more to do. */
  readonly goesOn: boolean;
  /** @returns whether it has caused work that follows in this turn. */
  takeTurn(): boolean;
}

/** A turn begins with those that wait, and goes on with what arrives then. */
export class Turns {
  /** In the order in which they came. */
  readonly #waiting: TurnTaker[] = [];
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
    return Math.min(SHARE_MS, TURN_MS / (1 + this.#waiting.length));
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
    this.#waiting.push(taker);
    this.begin();
  }

  #schedule(): void {
    setImmediate(() => void this.#next());
  }

  async #next(): Promise<void> {
    this.#number++;
    this.#beganAt = performance.now();
    const waiting = inOrder(this.#waiting.splice(0));
    // Who is added from now on has had this turn.
    this.#waiting.push(...waiting);
    let next = 0;
    while (next < waiting.length && !this.isOver) if (waiting[next++]?.takeTurn()) await microtasksDone();
    this.#waiting.splice(0, next);
    if (this.#waiting.length > 0) this.#schedule();
    else this.#beganAt = undefined;
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
    return true;
  }
}

/** Those that have not had a turn come first, lest they wait for who sends a lot; but for one of the others, so that these get on as well. */
function inOrder(waiting: readonly TurnTaker[]): readonly TurnTaker[] {
  const goingOn = waiting.filter(({ goesOn }) => goesOn);
  const newcomers = waiting.filter(({ goesOn }) => !goesOn);
  return [...goingOn.slice(0, 1), ...newcomers, ...goingOn.slice(1)];
}
