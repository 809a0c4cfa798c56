/** The observers of the bus, and what they have been notified of. */
import type { ConnectionListener } from "../bus.ts";

export class Observers {
  readonly #observers = new Set<ConnectionListener>();
  readonly #onError: (error: unknown) => void;
  /** They were notified of an outage, and not yet that it is over. */
  #isLost = false;
  /** Redis has lost its contents since they were notified last that an outage is over. */
  #isEmptied = false;

  /** `onError` gets what an observer throws. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Returns the end of it. The observer is notified at once of an outage that lasts. */
  add(observer: ConnectionListener): () => void {
    // An object of its own, so that the same observer may be added twice.
    const entry: ConnectionListener = {
      emptied: async (onProgress) => observer.emptied?.(onProgress),
      lost: () => observer.lost?.(),
      restored: (isEmptied) => observer.restored(isEmptied),
    };
    this.#observers.add(entry);
    if (this.#isLost) entry.lost?.();
    return () => void this.#observers.delete(entry);
  }

  lost(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#notify((observer) => observer.lost?.());
  }

  /** Resolves when all have put again what they had. */
  async emptied(onProgress: () => void): Promise<void> {
    this.#isEmptied = true;
    const working = Array.from(this.#observers, async (observer) => observer.emptied?.(onProgress));
    for (const { status, ...outcome } of await Promise.allSettled(working)) {
      if (status === "rejected" && "reason" in outcome) this.#onError(outcome.reason);
    }
  }

  restored(): void {
    const isEmptied = this.#isEmptied;
    this.#isLost = false;
    this.#isEmptied = false;
    this.#notify((observer) => observer.restored(isEmptied));
  }

  #notify(notify: (observer: ConnectionListener) => void): void {
    for (const observer of this.#observers) {
      try {
        notify(observer);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
