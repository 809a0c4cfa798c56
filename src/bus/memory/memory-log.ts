/** The recent events of each topic in this process's memory. */
import type { LRUCache } from "lru-cache";
import { createBoundedCache } from "../../bounded-cache.ts";
import {
  DELAY_MIN_MS,
  EVENT_ID_TTL_MS,
  type Compaction,
  LOG_MAX_EVENTS,
  type EventLog,
  type LogEntry,
  type LogPart,
  type LogTail,
  type StreamPosition,
} from "../bus.ts";
import { firstAt, positionAt, type Position } from "../position.ts";

/** Topics of which events are kept at most; the one longest without an event goes first. */
const MAX_TOPICS = 10_000;

/** Ids of events that are remembered at most. */
const MAX_IDS = 100_000;
const MAX_COMPACTED_IDS = 10_000;
const COMPACTED_ID_TTL_MS = 60_000;

interface Entry<Event> extends LogEntry<Event> {
  /** Of a compacted event. */
  readonly key?: string;
}

/** A part of a topic's log. */
interface Part<Event> {
  readonly entries: Entry<Event>[];
  /** The last event that is no longer kept and was not replaced, or a position before which nothing is known. */
  floor: Position;
}

interface Kept<Event> extends Readonly<Record<LogPart, Part<Event>>> {
  /** The last event whose publication took long, and how long one took at most. */
  late: Position;
  delayMs: number;
}

export class MemoryLog<Event> implements EventLog<Event> {
  readonly #topics: LRUCache<string, Kept<Event>>;
  readonly #ids = createBoundedCache<string, Position>({ max: MAX_IDS, ttl: EVENT_ID_TTL_MS });
  /** Apart, so that they push out none of the others. */
  readonly #compactedIds = createBoundedCache<string, Position>({ max: MAX_COMPACTED_IDS, ttl: COMPACTED_ID_TTL_MS });
  readonly #ageMs: number;
  #lastMs = Date.now();
  #lastSequence = 0;
  #last: Position = positionAt(this.#lastMs, 0);
  /** Of the topics that are not kept. */
  #floor: Position = this.#last;

  constructor(ageMs: number) {
    this.#ageMs = ageMs;
    this.#topics = createBoundedCache({
      max: MAX_TOPICS,
      dispose: ({ kept, compacted }) => {
        for (const { entries, floor } of [kept, compacted]) this.#raiseFloor(entries.at(-1)?.position ?? floor);
      },
      noDisposeOnSet: true,
    });
  }

  /** How many events are kept, in all topics. */
  get size(): number {
    return [...this.#topics.values()].reduce(
      (sum, { kept, compacted }) => sum + kept.entries.length + compacted.entries.length,
      0,
    );
  }

  /** The position of an event of this id that was appended before. */
  positionOf(topic: string, id: string): Position | undefined {
    const key = `${topic} ${id}`;
    return this.#ids.get(key) ?? this.#compactedIds.get(key);
  }

  /** @param timeMs when the event came about, where it says so. */
  append(topic: string, id: string, event: Event, compaction?: Compaction, timeMs?: number): Position {
    const position = this.#next();
    const ofTopic = this.#topics.get(topic) ?? {
      kept: { entries: [], floor: this.#floor },
      compacted: { entries: [], floor: this.#floor },
      late: "",
      delayMs: 0,
    };
    const delayMs = timeMs === undefined ? 0 : this.#lastMs - timeMs;
    if (delayMs >= DELAY_MIN_MS) {
      const isFirst = ofTopic.late < firstAt(Date.now() - EVENT_ID_TTL_MS);
      ofTopic.late = position;
      ofTopic.delayMs = isFirst ? delayMs : Math.max(delayMs, ofTopic.delayMs);
    }
    if (compaction) this.#compactedIds.set(`${topic} ${id}`, position);
    else this.#ids.set(`${topic} ${id}`, position);
    const part = ofTopic[compaction ? "compacted" : "kept"];
    if (compaction) replace(part, compaction);
    part.entries.push(compaction ? { position, event, key: compaction.key } : { position, event });
    // In slices, so that a busy topic is not shifted at every event.
    if (part.entries.length >= 2 * LOG_MAX_EVENTS) drop(part, part.entries.length - LOG_MAX_EVENTS);
    this.#topics.set(topic, ofTopic);
    return position;
  }

  /** Publishing and receiving happen in one turn: every reader is where the log is. */
  position(): StreamPosition {
    return { base: this.#last, topics: {} };
  }

  async read(topic: string, after: Position, part: LogPart = "kept"): Promise<readonly LogEntry<Event>[] | undefined> {
    const { since, entries } = this.#tail(topic, part);
    // A position that is still to come was made by a clock that was ahead.
    return after < since || after > this.#last ? undefined : entries.filter(({ position }) => position > after);
  }

  async tail(topic: string): Promise<LogTail<Event>> {
    return this.#tail(topic, "kept");
  }

  async positionsOf(topic: string, ids: readonly string[]): Promise<readonly (Position | undefined)[]> {
    return ids.map((id) => this.positionOf(topic, id));
  }

  async delayAfter(topic: string, after: Position): Promise<number> {
    const { late, delayMs } = this.#topics.get(topic) ?? { late: "", delayMs: 0 };
    return late > after ? delayMs : 0;
  }

  /** Drops what is too old, in every topic. */
  expire(): void {
    this.#ids.purgeStale();
    this.#compactedIds.purgeStale();
    for (const [topic, { kept, compacted }] of this.#topics.entries()) {
      this.#trim(kept);
      this.#trim(compacted);
      if (kept.entries.length === 0 && compacted.entries.length === 0) this.#topics.delete(topic);
    }
  }

  #tail(topic: string, name: LogPart): LogTail<Event> {
    const part = this.#topics.get(topic)?.[name];
    if (!part) return { since: this.#floor, entries: [] };
    this.#trim(part);
    return { since: part.floor, entries: part.entries.map(({ position, event }) => ({ position, event })) };
  }

  #trim(part: Part<Event>): void {
    const oldest = firstAt(Date.now() - this.#ageMs);
    const expired = part.entries.findIndex(({ position }) => position >= oldest);
    const beyond = expired === -1 ? part.entries.length : expired;
    drop(part, Math.max(beyond, part.entries.length - LOG_MAX_EVENTS));
  }

  #next(): Position {
    const now = Date.now();
    // A clock that is set back must not put an event before an earlier one.
    this.#lastSequence = now > this.#lastMs ? 0 : this.#lastSequence + 1;
    this.#lastMs = Math.max(now, this.#lastMs);
    return (this.#last = positionAt(this.#lastMs, this.#lastSequence));
  }

  #raiseFloor(position: Position): void {
    if (position > this.#floor) this.#floor = position;
  }
}

/** Removes the entries whose place an event takes. */
function replace(part: Part<unknown>, { key, keeps }: Compaction): void {
  let excess = part.entries.filter((entry) => entry.key === key).length + 1 - keeps;
  for (let index = 0; index < part.entries.length && excess > 0;) {
    if (part.entries[index]?.key !== key) index++;
    else {
      part.entries.splice(index, 1);
      excess--;
    }
  }
}

function drop(part: Part<unknown>, count: number): void {
  const last = part.entries[count - 1];
  if (!last) return;
  part.floor = last.position;
  part.entries.splice(0, count);
}
