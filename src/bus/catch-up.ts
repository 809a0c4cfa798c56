/**
 * The one way in which a reader joins what it missed with what is live: it has a position in each topic; the log is read from there
 * until it has everything; then it is live. New listeners, gaps, reconnects, slow readers, returning clients and `after` use it.
 *
 * Live events are not buffered while a reader is behind: the log has them. Only the last position is noted, to know when the reader
 * has caught up.
 */
import { boundedEach } from "../bounded.ts";
import { justBefore, latest, type Position } from "./position.ts";

/** Something that is read from a log. */
export interface CatchUpEntry {
  readonly topic: string;
  /** Its position in the log. Undefined for an entry from elsewhere, which comes before the first one that the log has. */
  readonly position: Position | undefined;
  /** Orders entries of several topics. */
  readonly order: Position;
  /** An instant. The entry and what comes after it, in its topic, or in all that are read, came about then or later. */
  readonly oldestFromHere?: string | undefined;
}

/** The past of a topic after a position. */
export interface Past<Entry> {
  readonly entries: readonly Entry[];
  /** A reader that has all entries is at this position at least. */
  readonly readTo: Position;
  /** Whether there are more, which come after these: they are read when these have been delivered. `readTo` is for all of them. */
  readonly isPartial?: boolean;
}

/** What of a topic's past is read. */
export interface PastRequest {
  /** How many topics are read at once. */
  readonly topics: number;
  /** Whether the last read was partial, and all of it has been delivered. */
  readonly isContinued: boolean;
}

/** Readers that may hold what they have read, of those that share a memory. */
export interface Turns {
  /** Resolves when the reader may read. {@link leave} follows. */
  enter(): Promise<void>;
  leave(): void;
}

/** What the reader reads from, and where it delivers. */
export interface CatchUpReader<Entry extends CatchUpEntry> {
  /**
   * The past of a topic: whole, or its first part.
   *
   * @param seen the last live event that went by, if any: `readTo` is not before it.
   * @throws where it cannot be read, or cannot be had whole.
   */
  read(topic: string, after: Position, seen: Position | undefined, request: PastRequest): Promise<Past<Entry>>;
  deliver(entry: Entry): void;
  /** Whether the reader can take no more for now. {@link CatchUp.run} is called again when it can. */
  isFull(): boolean;
  /** The reader has caught up. */
  onCaughtUp(): void;
  /** Undefined: the reader waits for no other. */
  readonly turns?: Turns;
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
  /** There are entries after those of the last read. */
  isPartial: boolean;
  /** Some entries that no log has were delivered, others not yet: the reader is at no position. */
  isBetween: boolean;
}

/** Entries that are kept for one reader. */
const MAX_READ = 1000;

/** Topics that are read at the same time. Some readers have thousands. */
const READS_AT_ONCE = 64;

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
  #hasTurn = false;

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
    this.#behind.set(topic, {
      after,
      seen: undefined,
      readTo: undefined,
      pending: 0,
      isPartial: false,
      isBetween: false,
    });
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
    if (!this.#behind.delete(topic)) return;
    this.#read = this.#read.filter((entry) => entry.topic !== topic);
    this.#endTurn();
  }

  /** The reader is gone. */
  stop(): void {
    this.#behind.clear();
    this.#read = [];
    this.#attempt = undefined;
    this.#endTurn();
  }

  /** Others may read where nothing that was read is held. */
  #endTurn(): void {
    if (!this.#hasTurn || this.#read.length > 0 || [...this.#behind.values()].some(({ isPartial }) => isPartial))
      return;
    this.#hasTurn = false;
    this.#reader.turns?.leave();
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
      this.#endTurn();
    }
  }

  async #step(): Promise<void> {
    if (this.#unread().length > 0) {
      // Where it waits for nobody it reads in the turn in which it is run.
      if (!this.#hasTurn && this.#reader.turns) await this.#takeTurn(this.#reader.turns);
      if (!this.#reader.isFull()) await this.#readOn(this.#unread());
    }
    let isExhausted = false;
    while (!isExhausted && !this.#reader.isFull()) {
      const next = this.#read.pop();
      if (!next) break;
      const of = this.#behind.get(next.topic);
      this.#deliver(next);
      isExhausted = of !== undefined && of.isPartial && isDelivered(of);
    }
    if (this.#read.length > 0) return;
    for (const [topic, { after, seen, readTo, isPartial }] of this.#behind) {
      if (isPartial || readTo === undefined || (seen !== undefined && readTo < seen)) continue;
      this.#behind.delete(topic);
      this.#readTo.set(topic, latest(after, readTo));
    }
    this.#endTurn();
  }

  /** The topics that are to be read: what comes after a part is read before anything later is delivered. */
  #unread(): readonly (readonly [string, Behind])[] {
    const behind = [...this.#behind];
    return this.#read.length === 0 ? behind : behind.filter(([, of]) => of.isPartial && isDelivered(of));
  }

  async #takeTurn(turns: Turns): Promise<void> {
    await turns.enter();
    this.#hasTurn = true;
  }

  #deliver(entry: Entry): void {
    const behind = this.#behind.get(entry.topic);
    if (!behind) return;
    behind.pending--;
    if (entry.position !== undefined) behind.after = entry.position;
    behind.isBetween = entry.position === undefined && (behind.pending > 0 || behind.isPartial);
    if (isDelivered(behind)) reach(behind);
    this.#reader.deliver(entry);
  }

  async #readOn(topics: readonly (readonly [string, Behind])[]): Promise<void> {
    for (const [, behind] of topics) behind.readTo = undefined;
    const attempt = (this.#attempt = {});
    const request = topics.length;
    const read = new Map(topics.map(([topic]): [string, readonly Entry[]] => [topic, []]));
    let failure: { readonly error: unknown } | undefined;
    await boundedEach(topics, READS_AT_ONCE, async ([topic, behind]) => {
      if (failure) return;
      try {
        read.set(topic, await this.#readTopic(topic, behind, attempt, request));
      } catch (error) {
        failure ??= { error };
      }
    });
    if (failure) {
      // Nothing of it is under way any more, nor is delivered, so that nothing is to be continued.
      for (const [, behind] of topics) Object.assign(behind, { readTo: undefined, isPartial: false, pending: 0 });
      throw failure.error;
    }
    // Backwards, so that the next one is taken from the end.
    const all = [...[...read.values()].flat(), ...this.#read].toSorted((a, b) =>
      a.order < b.order ? 1 : a.order > b.order ? -1 : 0,
    );
    this.#read = this.#bounded(withOldest(all));
  }

  async #readTopic(topic: string, behind: Behind, attempt: object, topics: number): Promise<readonly Entry[]> {
    const isCurrent = (): boolean => this.#attempt === attempt && this.#behind.get(topic) === behind;
    if (!isCurrent()) return [];
    let past: Past<Entry>;
    try {
      past = await this.#reader.read(topic, behind.after, behind.seen, { topics, isContinued: behind.isPartial });
    } catch (error) {
      if (isCurrent()) throw error;
      return [];
    }
    // It was forgotten, or started anew, meanwhile.
    if (!isCurrent()) return [];
    const { entries, readTo, isPartial = false } = past;
    behind.readTo = readTo;
    behind.isPartial = isPartial;
    behind.pending = entries.length;
    if (isDelivered(behind)) reach(behind);
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
      behind.isPartial = true;
      return false;
    });
  }
}

/** Gives each entry the oldest instant of those that come after it. @param reversed entries in the reverse of their order. */
export function withOldest<Entry extends CatchUpEntry>(reversed: readonly Entry[]): Entry[] {
  let oldest: string | undefined;
  return reversed.map((entry) => {
    const own = entry.oldestFromHere;
    if (oldest === undefined || (own !== undefined && own <= oldest)) {
      oldest = own;
      return entry;
    }
    return { ...entry, oldestFromHere: oldest };
  });
}

function isDelivered({ pending }: Behind): boolean {
  return pending === 0;
}

/** All entries of the last read were delivered. */
function reach(behind: Behind): void {
  if (behind.readTo !== undefined && !behind.isPartial) behind.after = latest(behind.after, behind.readTo);
}
