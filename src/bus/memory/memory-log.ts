/** The recent events of each topic in this process's memory. */
import { LRUCache } from "lru-cache";
import {
  EVENT_ID_TTL_MS,
  LOG_MAX_EVENTS,
  type EventLog,
  type LogEntry,
  type LogTail,
  type StreamPosition,
} from "../bus.ts";
import { firstAt, parsePosition, positionAt, type Position } from "../position.ts";

/** Topics of which events are kept at most; the one longest without an event goes first. */
const MAX_TOPICS = 10_000;

/** Ids of events that are remembered at most. */
const MAX_IDS = 100_000;

interface Kept<Event> {
  entries: LogEntry<Event>[];
  /** The last event that is no longer kept, or a position before which nothing is known. */
  floor: Position;
}

export class MemoryLog<Event> implements EventLog<Event> {
  readonly #topics: LRUCache<string, Kept<Event>>;
  readonly #ids = new LRUCache<string, Position>({ max: MAX_IDS, ttl: EVENT_ID_TTL_MS });
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

  /** How many events are kept, in all topics. */
  get size(): number {
    return [...this.#topics.values()].reduce((sum, { entries }) => sum + entries.length, 0);
  }

  /** The position of an event of this id that was appended before. */
  positionOf(topic: string, id: string): Position | undefined {
    return this.#ids.get(`${topic} ${id}`);
  }

  append(topic: string, id: string, event: Event): Position {
    const position = this.#next();
    this.#ids.set(`${topic} ${id}`, position);
    const kept = this.#topics.get(topic) ?? { entries: [], floor: this.#floor };
    kept.entries.push({ position, event });
    // In slices, so that a busy topic is not shifted at every event.
    if (kept.entries.length >= 2 * LOG_MAX_EVENTS) drop(kept, kept.entries.length - LOG_MAX_EVENTS);
    this.#topics.set(topic, kept);
    return position;
  }

  /** Publishing and receiving happen in one turn: every reader is where the log is. */
  position(): StreamPosition {
    return { base: this.#last, topics: {} };
  }

  async read(topic: string, after: Position): Promise<readonly LogEntry<Event>[] | undefined> {
    const { since, entries } = await this.tail(topic);
    // A position that is still to come was made by a clock that was ahead.
    return after < since || after > this.#last ? undefined : entries.filter(({ position }) => position > after);
  }

  async tail(topic: string): Promise<LogTail<Event>> {
    const kept = this.#topics.get(topic);
    if (!kept) return { since: this.#floor, entries: [] };
    this.#trim(kept);
    return { since: kept.floor, entries: [...kept.entries] };
  }

  async positionsOf(topic: string, ids: readonly string[]): Promise<readonly (Position | undefined)[]> {
    return ids.map((id) => this.positionOf(topic, id));
  }

  /** Drops what is too old, in every topic. */
  expire(): void {
    this.#ids.purgeStale();
    for (const [topic, kept] of this.#topics.entries()) {
      this.#trim(kept);
      if (kept.entries.length === 0) this.#topics.delete(topic);
    }
  }

  #trim(kept: Kept<Event>): void {
    const oldest = firstAt(Date.now() - this.#ageMs);
    const expired = kept.entries.findIndex(({ position }) => position >= oldest);
    const beyond = expired === -1 ? kept.entries.length : expired;
    drop(kept, Math.max(beyond, kept.entries.length - LOG_MAX_EVENTS));
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
