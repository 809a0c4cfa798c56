/** A chat whose record is being asked for, and what happens in it meanwhile. */
import type { ReceivedEvent } from "../chat/live-chat-list.ts";

/** Before another attempt to ask; it doubles up to the longest one. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

/** Events that are kept. The oldest go: the record has them. */
const MAX_EVENTS = 1000;

export class PendingRecord {
  /** Whether there is no going on without the record; else what is known has to do where it cannot be read. */
  readonly isNeeded: boolean;
  readonly events: ReceivedEvent[] = [];
  #retryMs = RETRY_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(isNeeded: boolean) {
    this.isNeeded = isNeeded;
  }

  add(received: ReceivedEvent): void {
    if (this.events.push(received) > MAX_EVENTS) this.events.shift();
  }

  /** Asks again, later each time. */
  retry(ask: () => void): void {
    this.#timer = setTimeout(ask, this.#retryMs).unref();
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
