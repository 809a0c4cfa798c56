/** The recent events of each topic in this process's memory. */
import { LRUCache } from "lru-cache";
import { LOG_MAX_EVENTS, type EventLog, type LogEntry, type LogTail, type Mark } from "../bus.ts";
import { parsePosition, positionAt, type Position } from "../position.ts";

/** Topics of which events are kept at most; the one longest without an event goes first. */
const MAX_TOPICS = 10_000;

interface Kept<Event> {
  entries: LogEntry<Event>[];
  /** The last event that is no longer kept, or a position before which nothing is known. */
  floor: Position;
}

export class MemoryLog<Event> implements EventLog<Event> {
  readonly #topics: LRUCache<string, Kept<Event>>;
  readonly #ageMs: number;
  #last: Position = positionAt(Date.now(), 0);
  /** Of the topics that are not kept. */
  #floor: Position = this.#last;

  constructor(ageMs: number) {
    this.#ageMs = ageMs;
    this.#topics = new LRUCache({
      max: MAX_TOPICS,
      dispose: ({ entries, floor }) => this.#raiseFloor(entries.at(-1)?.position ?? floor),
      noDisposeOnSet: true,
    });
  }

  append(topic: string, event: Event): Position {
    const position = this.#next();
    const kept = this.#topics.get(topic) ?? { entries: [], floor: this.#floor };
    kept.entries.push({ position, event });
    // In slices, so that a busy topic is not shifted at every event.
    if (kept.entries.length >= 2 * LOG_MAX_EVENTS) drop(kept, kept.entries.length - LOG_MAX_EVENTS);
    this.#topics.set(topic, kept);
    return position;
  }

  /** Publishing and receiving fall in one turn: everybody stands where the log does. */
  mark(): Mark {
    return { base: this.#last, topics: {} };
  }

  async read(topic: string, after: Position): Promise<readonly LogEntry<Event>[] | undefined> {
    const { since, entries } = await this.tail(topic);
    return after < since ? undefined : entries.filter(({ position }) => position > after);
  }

  async tail(topic: string): Promise<LogTail<Event>> {
    const kept = this.#topics.get(topic);
    if (!kept) return { since: this.#floor, entries: [] };
    const oldest = positionAt(Math.max(0, Date.now() - this.#ageMs), 0);
    const expired = kept.entries.findIndex(({ position }) => position >= oldest);
    const beyond = expired === -1 ? kept.entries.length : expired;
    drop(kept, Math.max(beyond, kept.entries.length - LOG_MAX_EVENTS));
    return { since: kept.floor, entries: [...kept.entries] };
  }

  #next(): Position {
    const { ms, sequence } = parsePosition(this.#last);
    const now = Date.now();
    // A clock that is set back must not put an event before an earlier one.
    this.#last = now > ms ? positionAt(now, 0) : positionAt(ms, sequence + 1);
    return this.#last;
  }

  #raiseFloor(position: Position): void {
    if (position > this.#floor) this.#floor = position;
  }
}

function drop(kept: Kept<unknown>, count: number): void {
  const last = kept.entries[count - 1];
  if (!last) return;
  kept.floor = last.position;
  kept.entries.splice(0, count);
}
