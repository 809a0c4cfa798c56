/**
 * What a reader has missed, and how it gets it: from the log, in order, until it stands where the live events do. The order is the
 * log's over all topics: whoever goes on from the last event of a reader has missed nothing in any of them.
 */
import type { EventLog, LogEntry } from "../bus/bus.ts";
import { justBefore, type Position } from "../bus/position.ts";
import type { BusEvent } from "../chat/events.ts";
import { GatewayError } from "../errors.ts";

/** Events that are kept for a reader that takes a few at a time; the rest is read again. */
const MAX_READ = 1000;

interface Missed {
  /** What the log is read after: the last event that the reader has been given, or what stands before the first that it has not. */
  after: Position;
  /** The last one that has been seen going by. */
  to: Position;
}

interface Read extends LogEntry<BusEvent> {
  readonly topic: string;
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
  /** What has been read of them and not been given yet, the next one last. */
  #read: Read[] = [];
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
    if (mayWrite && this.#missed.size === 0) return true;
    this.#missed.set(topic, { after: justBefore(position), to: position });
    return false;
  }

  /** What was missed of a topic is not wanted any more. */
  forget(topic: string): void {
    this.#missed.delete(topic);
    this.#read = this.#read.filter((entry) => entry.topic !== topic);
  }

  /**
   * Gives the reader what it has missed, until it lags again or nothing is missing. Harmless while it runs.
   *
   * @throws GatewayError CURSOR_EXPIRED where the log does not reach back far enough; BusUnavailable.
   */
  async run(): Promise<void> {
    // The reader may lag again and recover while the log is read.
    this.#isWanted = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        while (this.#missed.size > 0 && !this.#target.isLagging) await this.#step();
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #step(): Promise<void> {
    if (this.#read.length === 0) await this.#readOn();
    this.#write();
    if (this.#read.length > 0) return;
    for (const [topic, { after, to }] of this.#missed) {
      if (after < to) continue;
      this.#missed.delete(topic);
      this.#readTo.set(topic, after);
    }
  }

  async #readOn(): Promise<void> {
    const topics = [...this.#missed];
    const read = await Promise.all(topics.map(async ([topic, missed]) => this.#readTopic(topic, missed)));
    // Backwards, so that the next one is taken from the end.
    this.#read = read
      .flat()
      .toSorted((a, b) => (a.position < b.position ? 1 : -1))
      .slice(-MAX_READ);
  }

  async #readTopic(topic: string, missed: Missed): Promise<readonly Read[]> {
    const entries = await this.#log.read(topic, missed.after);
    if (this.#missed.get(topic) !== missed) return [];
    // It does not reach back so far; or what went by is not there, and the log has lost it.
    if (!entries || (entries.length === 0 && missed.after < missed.to)) throw new GatewayError("CURSOR_EXPIRED");
    return entries.map(({ event, position }) => ({ topic, event, position }));
  }

  /** Until the reader lags, or nothing is left. */
  #write(): void {
    while (!this.#target.isLagging) {
      const next = this.#read.pop();
      if (!next) return;
      this.#target.write(next.event, next.position);
      const missed = this.#missed.get(next.topic);
      if (missed) missed.after = next.position;
    }
  }
}
