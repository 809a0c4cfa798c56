/** Subscriptions that were given a part of the present state, since the bus could not be reached: it is read again until it is whole. */
import type { Log } from "../log.ts";
import type { Subscriber } from "./subscriber.ts";

/** Before another attempt. */
const RETRY_MS = 1000;

export class LateRefresh {
  readonly #log: Log;
  readonly #waiting = new Set<Subscriber>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(subscriber: Subscriber): void {
    this.#waiting.add(subscriber);
    if (this.#isClosed) return;
    const refresh = (): void => void this.#refreshAll();
    this.#timer ??= setTimeout(refresh, RETRY_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  /** One after the other: there may be many, and each reads from the bus. */
  async #refreshAll(): Promise<void> {
    const subscribers = [...this.#waiting];
    for (const subscriber of subscribers) {
      this.#waiting.delete(subscriber);
      await this.#refresh(subscriber);
      // It cannot be read yet, so that the others need not try.
      if (this.#waiting.has(subscriber)) break;
    }
    this.#timer = undefined;
    const [next] = this.#waiting;
    if (next) this.add(next);
  }

  async #refresh(subscriber: Subscriber): Promise<void> {
    if (!subscriber.session.subscriptions.has(subscriber)) return;
    try {
      await subscriber.refresh();
    } catch (error) {
      this.#log.warn({ err: error }, "states could not be read again");
    }
  }
}
