/**
 * What a reader has missed, topic by topic, and how it gets it: from the log, in order, until it stands where the live events do.
 */
import type { EventLog, LogEntry } from "../bus/bus.ts";
import { justBefore, type Position } from "../bus/position.ts";
import type { BusEvent } from "../chat/events.ts";
import { GatewayError } from "../errors.ts";

interface Missed {
  /** What the log is read after: the last event that the reader has been given, or what stands before the first that it has not. */
  after: Position;
  /** The last one that has been seen going by. */
  to: Position;
}

/** Where events are read to. */
export interface CatchUpTarget {
  /** Whether the reader can take no more for now. */
  readonly isLagging: boolean;
  write(event: BusEvent, position: Position): void;
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

  /** Where the reader stands in each topic in which it does not stand where the live events do. */
  get behind(): ReadonlyMap<string, { readonly after: Position }> {
    return this.#missed;
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
    this.#missed.set(topic, { after: justBefore(position), to: position });
    return false;
  }

  /** What was missed of a topic is not wanted any more. */
  forget(topic: string): void {
    this.#missed.delete(topic);
  }

  /**
   * Gives the reader what it has missed, until it lags again or nothing is missing. Harmless while it runs.
   *
   * @throws GatewayError CURSOR_EXPIRED where the log does not reach back far enough; BusUnavailable.
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
      const entries = await this.#log.read(topic, missed.after);
      if (this.#missed.get(topic) !== missed) return;
      if (!entries) throw new GatewayError("CURSOR_EXPIRED");
      // What went by is not there: the log has lost it.
      if (entries.length === 0 && missed.after < missed.to) throw new GatewayError("CURSOR_EXPIRED");
      this.#write(missed, entries);
      if (missed.after < missed.to) continue;
      this.#missed.delete(topic);
      this.#readTo.set(topic, missed.after);
    }
  }

  /** Until the reader lags, or nothing is left. */
  #write(missed: Missed, entries: readonly LogEntry<BusEvent>[]): void {
    for (const { position, event } of entries) {
      if (this.#target.isLagging) return;
      this.#target.write(event, position);
      missed.after = position;
    }
  }
}
