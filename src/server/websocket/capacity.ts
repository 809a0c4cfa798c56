/** How many connections an instance takes, and who is told that it takes no more. */
import type { Log } from "../../log.ts";

/** A full instance has room again below this part of its maximum: one that leaves must not be announced each time. */
const ROOM_BELOW = 0.9;

export class Capacity {
  readonly #max: number;
  readonly #log: Log;
  #isFull = false;

  constructor(max: number, log: Log) {
    this.#max = max;
    this.#log = log;
  }

  /** Whether a load balancer should choose another instance. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether a connection beside so many is one too many. */
  isExceededBy(connections: number): boolean {
    return connections >= this.#max;
  }

  /** Logs when the instance becomes full, and when there is room again: once each, however many connections are refused. */
  update(connections: number): void {
    const isFull = connections >= this.#max || (this.#isFull && connections > this.#max * ROOM_BELOW);
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    if (isFull)
      this.#log.warn({ connections }, "full: MAX_CONNECTIONS is reached, and further connections are refused");
    else this.#log.info({ connections }, "there is room for connections again");
  }
}
