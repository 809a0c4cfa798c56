/** A gate that requests wait at until a test lets them go. */
import { EventEmitter, once } from "node:events";

/** Made by a fault that holds requests. */
export class Gate implements Disposable {
  readonly #waiting: (() => void)[] = [];
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #opened: () => void;
  #arrivals = 0;
  #open = false;

  /** @param opened runs once, when the gate opens for good. */
  constructor(opened: () => void = () => {}) {
    this.#opened = opened;
  }

  /** How many are waiting now. */
  get held(): number {
    return this.#waiting.length;
  }

  /** Resolves as soon as `count` requests have come to the gate, those that have been let go included. */
  async arrived(count = 1): Promise<void> {
    while (this.#arrivals < count) await once(this.#events, "arrival");
  }

  /** Lets the oldest `count` go and goes on holding the others; without `count` opens the gate for good. */
  release(count?: number): void {
    if (count === undefined) return this.lift();
    for (const go of this.#waiting.splice(0, count)) go();
  }

  /** Opens the gate for good. */
  lift(): void {
    if (this.#open) return;
    this.#open = true;
    this.#opened();
    this.release(this.held);
  }

  [Symbol.dispose](): void {
    this.lift();
  }

  /** For the API's own server: resolves when the request may go on. */
  async pass(): Promise<void> {
    if (this.#open) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#arrivals += 1;
    this.#events.emit("arrival");
    await promise;
  }
}
