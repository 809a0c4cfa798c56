/**
 * The durable events of the last half minute of connection, by topic and id. They suppress duplicates on the way in, and they are
 * published again when Redis has lost its memory.
 */
import { LOG_MAX_EVENTS } from "../../bus.ts";
import type { Position } from "../../position.ts";

/** How long an event is kept, in milliseconds in which Redis was connected. Longer than {@link RESTORED_MS} on any other instance. */
const KEPT_MS = 30_000;

/** Events of that time before a connection was lost, as many as a log keeps, are published again when Redis has lost its memory. */
const RESTORED_MS = 10_000;

/**
 * How many events of a topic are kept: far more than another instance publishes again, so that what it does is known here. One that is
 * not would be delivered once more, and push out the next one that comes again.
 */
const MAX_KEPT = 4 * LOG_MAX_EVENTS;

export interface RecentEvent<Event> {
  readonly event: Event;
  /** Its position in the log of the Redis that it was published to first. */
  readonly position: Position;
  /** In milliseconds of connection, as the class counts them. */
  readonly at: number;
  /** Whether the listeners of this process have it. One that was published here may still be on its way back. */
  isDelivered: boolean;
}

export class RecentEvents<Event> {
  readonly #topics = new Map<string, Map<string, RecentEvent<Event>>>();
  /** Milliseconds of connection. It does not advance while Redis is disconnected, however long that takes. */
  #now = 0;

  /** Time has passed while Redis was connected. */
  advance(ms: number): void {
    this.#now += ms;
    for (const [topic, events] of this.#topics) {
      for (const [id, { at }] of events) {
        if (at > this.#now - KEPT_MS) break;
        events.delete(id);
      }
      if (events.size === 0) this.#topics.delete(topic);
    }
  }

  /** The log has an event that was published here. */
  published(topic: string, id: string, event: Event, position: Position): void {
    if (!this.#topics.get(topic)?.has(id)) this.#add(topic, id, { event, position, at: this.#now, isDelivered: false });
  }

  /** Notes that an event is being delivered. Returns whether it is the first time. */
  deliver(topic: string, id: string, event: Event, position: Position): boolean {
    const known = this.#topics.get(topic)?.get(id);
    if (known?.isDelivered) return false;
    if (known) known.isDelivered = true;
    else this.#add(topic, id, { event, position, at: this.#now, isDelivered: true });
    return true;
  }

  wasDelivered(topic: string, id: string): boolean {
    return this.#topics.get(topic)?.get(id)?.isDelivered === true;
  }

  get topics(): Iterable<string> {
    return this.#topics.keys();
  }

  /** What a Redis that has lost its memory is told again, oldest first. */
  restorable(topic: string): readonly RecentEvent<Event>[] {
    const events = [...(this.#topics.get(topic)?.values() ?? [])].filter(({ at }) => at > this.#now - RESTORED_MS);
    return events.toSorted((a, b) => (a.position < b.position ? -1 : 1)).slice(-LOG_MAX_EVENTS);
  }

  #add(topic: string, id: string, recent: RecentEvent<Event>): void {
    const events = this.#topics.get(topic) ?? new Map<string, RecentEvent<Event>>();
    this.#topics.set(topic, events.set(id, recent));
    if (events.size <= MAX_KEPT) return;
    const [oldest] = events.keys();
    if (oldest !== undefined) events.delete(oldest);
  }
}
