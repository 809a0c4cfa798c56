/** The recent events of each topic in this process's memory. */
import { LRUCache } from "lru-cache";
import type { EventLog, LogEntry, Position } from "./bus.ts";

/** Events kept of one topic at most. */
const MAX_EVENTS = 1000;
/** Topics of which events are kept at most; the one longest without an event goes first. */
const MAX_TOPICS = 10_000;

interface Kept<Event> extends LogEntry<Event> {
  readonly at: number;
}

export class MemoryLog<Event> implements EventLog<Event> {
  readonly #topics: LRUCache<string, Kept<Event>[]>;
  readonly #ageMs: number;
  #sequence = 0;

  constructor(ageMs: number) {
    this.#ageMs = ageMs;
    this.#topics = new LRUCache({ max: MAX_TOPICS, ttl: ageMs });
  }

  append(topic: string, event: Event): Position {
    const position = String(++this.#sequence).padStart(16, "0");
    const entries = this.#topics.get(topic) ?? [];
    entries.push({ position, event, at: performance.now() });
    // In slices, so that a busy topic is not shifted at every event.
    if (entries.length >= 2 * MAX_EVENTS) entries.splice(0, entries.length - MAX_EVENTS);
    this.#topics.set(topic, entries);
    return position;
  }

  async readFrom(topic: string, position: Position): Promise<readonly LogEntry<Event>[] | undefined> {
    const oldest = performance.now() - this.#ageMs;
    const entries = (this.#topics.get(topic) ?? []).slice(-MAX_EVENTS).filter((entry) => entry.at >= oldest);
    const start = entries.findIndex((entry) => entry.position === position);
    return start === -1 ? undefined : entries.slice(start);
  }
}
