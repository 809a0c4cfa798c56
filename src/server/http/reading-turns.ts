/** New documents over HTTP, at the pace at which the gateway reads them: others have their turn of the event loop in between. */
import { Rotation } from "../../rotation.ts";

/** How long new documents may take in one turn. */
const TURN_MS = 10;

export class ReadingTurns {
  readonly #callers = new Rotation();
  #spentMs = 0;
  #isScheduled = false;

  /** Resolves when it is the turn of one of this caller's documents. */
  async begin(caller: string): Promise<void> {
    if (this.#spentMs < TURN_MS && this.#callers.size === 0) return;
    this.#schedule();
    await this.#callers.wait(caller);
  }

  /** A document took so long. */
  spend(ms: number): void {
    this.#spentMs += ms;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#next());
  }

  /** One document of the next caller: what it costs is not known before. */
  #next(): void {
    this.#isScheduled = false;
    this.#spentMs = 0;
    this.#callers.next();
    if (this.#callers.size > 0) this.#schedule();
  }
}
