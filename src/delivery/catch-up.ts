/**
 * What a reader has missed, topic by topic, and how it gets it: from the log, in order, until it stands where the live events do.
 */
import type { EventLog, LogEntry } from "../bus/bus.ts";
import { justBefore, type Position } from "../bus/position.ts";
import type { BusEvent } from "../chat/events.ts";
import { GatewayError } from "../errors.ts";

interface Missed {
  /** Where the log is read from: the first event that the reader has not been given, or the last one that it has. */
  from: Position;
  /** The last one that has been seen going by. */
  to: Position;
  /** The last one that the reader has been given out of the log. */
  given: Position | undefined;
}

/** Where events are read to. */
export interface CatchUpTarget {
  /** Whether the reader can take no more for now. */
  readonly isLagging: boolean;
  write(event: BusEvent): void;
}

export class CatchUp {
  readonly #log: EventLog<BusEvent>;
  readonly #target: CatchUpTarget;
  readonly #missed = new Map<string, Missed>();
  /** How far each topic has been read: what the log had already and goes by live afterwards is not given again. */
  readonly #readTo = new Map<string, Position>();
  #isRunning = false;
  #isWanted = false;

  constructor(log: EventLog<BusEvent>, target: CatchUpTarget) {
    this.#log = log;
    this.#target = target;
  }

  /**
   * Takes note of a live event.
   *
   * @param mayWrite whether the reader could be given it now.
   * @returns whether it is to be: nothing before it is missing, and it has not been read from the log already.
   */
  admit(topic: string, position: Position, mayWrite: boolean): boolean {
    const missed = this.#missed.get(topic);
    if (missed) {
      missed.to = position;
      return false;
    }
    const readTo = this.#readTo.get(topic);
    if (readTo !== undefined) {
      if (position <= readTo) return false;
      this.#readTo.delete(topic);
    }
    if (mayWrite) return true;
    this.#missed.set(topic, { from: position, to: position, given: undefined });
    return false;
  }

  /** What was missed of a topic is not wanted any more. */
  forget(topic: string): void {
    this.#missed.delete(topic);
  }

  /**
   * Gives the reader what it has missed, until it lags again or nothing is missing. Harmless while it runs.
   *
   * @throws GatewayError CURSOR_EXPIRED where the log does not reach back far enough.
   */
  async run(): Promise<void> {
    // The reader may lag again and recover while a log is read: the topics that were passed over then have their turn after.
    this.#isWanted = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        for (const [topic, missed] of this.#missed) await this.#read(topic, missed);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #read(topic: string, missed: Missed): Promise<void> {
    while (!this.#target.isLagging && this.#missed.get(topic) === missed) {
      const entries = await this.#log.read(topic, justBefore(missed.from));
      if (this.#missed.get(topic) !== missed) return;
      if (!entries) throw new GatewayError("CURSOR_EXPIRED");
      this.#write(missed, entries);
      if (missed.given === undefined || missed.given < missed.to) continue;
      this.#missed.delete(topic);
      this.#readTo.set(topic, missed.given);
    }
  }

  /** Until the reader lags, or nothing is left. */
  #write(missed: Missed, entries: readonly LogEntry<BusEvent>[]): void {
    for (const { position, event } of entries) {
      if (missed.given !== undefined && position <= missed.given) continue;
      missed.from = position;
      if (this.#target.isLagging) return;
      this.#target.write(event);
      missed.given = position;
    }
  }
}
