/**
 * The one way in which a reader joins what it missed with what is live: it has a position in each topic; the log is read from there
 * until it has everything; then it is live. New listeners, gaps, reconnects, slow readers, returning clients and `after` use it.
 *
 * Live events are not buffered while a reader is behind: the log has them. Only the last position is noted, to know when the reader
 * has caught up.
 */
import { justBefore, latest, type Position } from "./position.ts";

/** Something that is read from a log. */
export interface CatchUpEntry {
  readonly topic: string;
  /** Its position in the log. Undefined for an entry from elsewhere, which comes before the first one that the log has. */
  readonly position: Position | undefined;
  /** Orders entries of several topics. */
  readonly order: Position;
}

/** The past of a topic after a position. */
export interface Past<Entry> {
  readonly entries: readonly Entry[];
  /** A reader that has all entries is at this position at least. */
  readonly readTo: Position;
}

/** What the reader reads from, and where it delivers. */
export interface CatchUpReader<Entry extends CatchUpEntry> {
  /**
   * The past of a topic, whole.
   *
   * @param seen the last live event that went by, if any: `readTo` is not before it.
   * @throws where it cannot be read, or cannot be had whole.
   */
  read(topic: string, after: Position, seen: Position | undefined): Promise<Past<Entry>>;
  deliver(entry: Entry): void;
  /** Whether the reader can take no more for now. {@link CatchUp.run} is called again when it can. */
  isFull(): boolean;
  /** The reader has caught up. */
  onCaughtUp(): void;
}

/** A topic in which the reader is behind. */
interface Behind {
  /** The last entry that was delivered, or the position from which reading begins. */
  after: Position;
  /** The last live event that went by. */
  seen: Position | undefined;
  /** How far the last read reached. Undefined before it, and where not all of it was kept. */
  readTo: Position | undefined;
  /** Entries of the last read that are not delivered yet. */
  pending: number;
  /** Some entries that no log has were delivered, others not yet: the reader is at no position. */
  isBetween: boolean;
}

/** Entries that are kept for one reader. */
const MAX_READ = 1000;

export class CatchUp<Entry extends CatchUpEntry> {
  readonly #reader: CatchUpReader<Entry>;
  readonly #maxRead: number;
  readonly #behind = new Map<string, Behind>();
  /** Read and not delivered yet, the next one last. */
  #read: Entry[] = [];
  /** Up to where each topic was read when it became live again. A live event up to there was delivered already. */
  readonly #readTo = new Map<string, Position>();
  #running = Promise.resolve();
  #isRunning = false;
  #isWanted = false;
  /** The read that is under way. What answers later belongs to a run that has failed. */
  #attempt: object | undefined;

  /** @param maxRead how many entries are kept for a reader that takes a few at a time; the rest is read again. */
  constructor(reader: CatchUpReader<Entry>, maxRead = MAX_READ) {
    this.#reader = reader;
    this.#maxRead = maxRead;
  }

  get isBehind(): boolean {
    return this.#behind.size > 0;
  }

  /** Whether it has nothing to do, and remembers nothing. */
  get isIdle(): boolean {
    return !this.isBehind && this.#readTo.size === 0 && !this.#isRunning;
  }

  /** The position in each topic in which the reader is behind. Undefined where it is at no position of some topic's log. */
  positions(): ReadonlyMap<string, Position> | undefined {
    const positions = new Map<string, Position>();
    for (const [topic, { after, isBetween }] of this.#behind) {
      if (isBetween) return undefined;
      positions.set(topic, after);
    }
    return positions;
  }

  /** The reader continues from that position. Call {@link run} then. */
  start(topic: string, after: Position): void {
    this.forget(topic);
    this.#behind.set(topic, { after, seen: undefined, readTo: undefined, pending: 0, isBetween: false });
  }

  /**
   * A live event of a topic.
   *
   * @param canTake whether the reader can take it now.
   * @returns whether it is to be delivered now. Otherwise the reader has it already, or gets it from the log.
   */
  admit(topic: string, position: Position, canTake: boolean): boolean {
    const readTo = this.#readTo.get(topic);
    if (readTo !== undefined) {
      if (position <= readTo) return false;
      this.#readTo.delete(topic);
    }
    // In one order over all topics: a reader that is behind in one does not run ahead in another.
    if (canTake && !this.isBehind) return true;
    if (!this.#behind.has(topic)) this.start(topic, justBefore(position));
    this.note(topic, position);
    return false;
  }

  /** A live event went by in a topic in which the reader is behind. */
  note(topic: string, position: Position): void {
    const behind = this.#behind.get(topic);
    if (behind) behind.seen = latest(behind.seen, position);
  }

  /** The reader does not want a topic any more. */
  forget(topic: string): void {
    this.#readTo.delete(topic);
    if (this.#behind.delete(topic)) this.#read = this.#read.filter((entry) => entry.topic !== topic);
  }

  /**
   * Delivers what is missing until the reader is full or has caught up. Harmless while it runs. Rejects as `read` does; it may be
   * called again then.
   */
  run(): Promise<void> {
    this.#isWanted = true;
    if (!this.#isRunning) this.#running = this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        const wasBehind = this.isBehind;
        while (this.isBehind && !this.#reader.isFull()) await this.#step();
        if (wasBehind && this.#behind.size === 0) this.#reader.onCaughtUp();
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #step(): Promise<void> {
    if (this.#read.length === 0) await this.#readOn();
    while (!this.#reader.isFull()) {
      const next = this.#read.pop();
      if (!next) break;
      this.#deliver(next);
    }
    if (this.#read.length > 0) return;
    for (const [topic, { after, seen, readTo }] of this.#behind) {
      if (readTo === undefined || (seen !== undefined && readTo < seen)) continue;
      this.#behind.delete(topic);
      this.#readTo.set(topic, latest(after, readTo));
    }
  }

  #deliver(entry: Entry): void {
    const behind = this.#behind.get(entry.topic);
    if (!behind) return;
    behind.pending--;
    if (entry.position !== undefined) behind.after = entry.position;
    behind.isBetween = behind.pending > 0 && entry.position === undefined;
    if (behind.pending === 0) reach(behind);
    this.#reader.deliver(entry);
  }

  async #readOn(): Promise<void> {
    const topics = [...this.#behind];
    for (const [, behind] of topics) behind.readTo = undefined;
    const attempt = (this.#attempt = {});
    const read = await Promise.all(topics.map(async ([topic, behind]) => this.#readTopic(topic, behind, attempt)));
    // Backwards, so that the next one is taken from the end.
    this.#read = this.#bounded(read.flat().toSorted((a, b) => (a.order < b.order ? 1 : a.order > b.order ? -1 : 0)));
  }

  async #readTopic(topic: string, behind: Behind, attempt: object): Promise<readonly Entry[]> {
    const isCurrent = (): boolean => this.#attempt === attempt && this.#behind.get(topic) === behind;
    let past: Past<Entry>;
    try {
      past = await this.#reader.read(topic, behind.after, behind.seen);
    } catch (error) {
      if (isCurrent()) throw error;
      return [];
    }
    // It was forgotten, or started anew, meanwhile.
    if (!isCurrent()) return [];
    const { entries, readTo } = past;
    behind.readTo = readTo;
    behind.pending = entries.length;
    if (behind.pending === 0) reach(behind);
    // Backwards like the whole, so that entries with equal order keep theirs.
    return entries.toReversed();
  }

  /** What does not fit is read again. What no log has is kept: its topic is at no position before all of it was delivered. */
  #bounded(entries: Entry[]): Entry[] {
    let excess = entries.length - this.#maxRead;
    if (excess <= 0) return entries;
    const unlogged = new Set(entries.filter(({ position }) => position === undefined).map(({ topic }) => topic));
    return entries.filter(({ topic }) => {
      const behind = this.#behind.get(topic);
      if (excess <= 0 || unlogged.has(topic) || !behind) return true;
      excess--;
      behind.pending--;
      behind.readTo = undefined;
      return false;
    });
  }
}

/** All entries of the last read were delivered. */
function reach(behind: Behind): void {
  if (behind.readTo !== undefined) behind.after = latest(behind.after, behind.readTo);
}
