/** When a client is asked what has arrived, and when there is room for more. */
import type { Flusher } from "./flusher.ts";

/**
 * Events that a client has not confirmed come again when it loses its connection. It is asked with the write of an event, but not more often
 * than this, unless a lot is written. What no later write asks for is asked for by itself, so long after it was written: that costs a system
 * call of its own.
 */
const CONFIRMATION_INTERVAL_MS = 1000;

/** Whose outbox it is. */
export interface OutboxOwner {
  /**
   * The client is to be asked whether the events so far have arrived, which a ping does.
   *
   * @param isDue the last ping was long ago.
   * @param bytes of events that were written since.
   * @returns whether that is still to be done: it is not asked now.
   */
  onUnconfirmed(isDue: boolean, bytes: number): boolean;
  /** The client has read, and there is room again. */
  onRoom(): void;
}

interface WatchedOptions {
  readonly flusher: Flusher;
  readonly owner: OutboxOwner;
}

/** So much since the last ping may call for another one. What is missed is written in parts of it, one in each turn, so that pings stand between. */
export const PART_BYTES = 32_768;

/**
 * When the client is asked what has arrived, and when there is room for more again. Kept in the outbox itself, because reading another
 * object on every write doubles the cost of a write.
 */
export abstract class WatchedOutbox {
  protected readonly flusher: Flusher;
  readonly #owner: OutboxOwner;
  delivered = 0;
  #hasLagged = false;
  /** Whether there were events since the last ping. */
  #isUnconfirmed = false;
  /** When the first of them was written; Infinity where it is still to be. */
  #unconfirmedSince = Infinity;
  /** Of events that were written since the last ping, and how many of them call for another one. */
  #bytesSincePing = 0;
  #askAtBytes = PART_BYTES;
  /** Of events that wait for the end of the turn. */
  #turnBytes = 0;
  #pingedAt = -Infinity;
  #isScheduled = false;

  constructor({ flusher, owner }: WatchedOptions) {
    this.flusher = flusher;
    this.#owner = owner;
  }

  get isLagging(): boolean {
    const isLagging = this.waitingBytes > this.flusher.budgetBytes;
    this.#hasLagged ||= isLagging;
    return isLagging;
  }

  get isTurnOver(): boolean {
    const isOver = this.#turnBytes >= PART_BYTES;
    this.#hasLagged ||= isOver;
    return isOver;
  }

  abstract send(message: string, onSent?: () => void): void;

  event(message: string, onSent?: () => void): void {
    this.send(message, onSent);
    this.noteEvent(message.length);
  }

  /** What has not left the process. */
  protected abstract readonly waitingBytes: number;

  /** Some of it has. */
  protected noteRoom(): void {
    if (!this.#hasLagged || this.isLagging) return;
    this.#hasLagged = false;
    this.#owner.onRoom();
  }

  protected noteEvent(bytes: number): void {
    this.delivered++;
    this.#isUnconfirmed = true;
    this.#turnBytes += bytes;
  }

  protected notePing(): void {
    this.#confirmNothing();
    this.#bytesSincePing = 0;
    this.#askAtBytes = PART_BYTES;
    this.#pingedAt = performance.now();
  }

  /** What waits is about to be written: a ping may still be put behind it. */
  protected confirm(): void {
    this.#bytesSincePing += this.#turnBytes;
    this.#turnBytes = 0;
    if (!this.#isUnconfirmed) return;
    const now = this.flusher.turnAt;
    this.#unconfirmedSince = Math.min(this.#unconfirmedSince, now);
    const isDue = now - this.#pingedAt >= CONFIRMATION_INTERVAL_MS;
    if (isDue || this.#bytesSincePing >= this.#askAtBytes) this.#ask(isDue);
    else this.#schedule(this.#unconfirmedSince + CONFIRMATION_INTERVAL_MS - now);
  }

  /** The time has come, unless a write has taken a ping along meanwhile. */
  confirmLate(): void {
    this.#isScheduled = false;
    if (!this.#isUnconfirmed) return;
    const waitMs = this.#unconfirmedSince + CONFIRMATION_INTERVAL_MS - performance.now();
    if (waitMs <= 0) this.#ask(true);
    else this.#schedule(waitMs);
  }

  #ask(isDue: boolean): void {
    this.#askAtBytes = this.#bytesSincePing + PART_BYTES;
    if (this.#owner.onUnconfirmed(isDue, this.#bytesSincePing)) this.#schedule(CONFIRMATION_INTERVAL_MS);
    else this.#confirmNothing();
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.flusher.confirmations.add(this, delayMs);
  }

  /** There is nothing to confirm until the next event. */
  #confirmNothing(): void {
    this.#isUnconfirmed = false;
    this.#unconfirmedSince = Infinity;
  }
}
