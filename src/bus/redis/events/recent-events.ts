/**
 * The durable events of the last half minute of connection, by topic and id. They suppress duplicates on the way in, and they are
 * published again when Redis has lost its memory.
 */
import { LOG_MAX_EVENTS, type BusOptions, type RecoveredEvent } from "../../bus.ts";
import { parsePosition, type Position } from "../../position.ts";
import { PastPositions } from "./past-positions.ts";

/** How long an event is kept, in milliseconds in which Redis was connected. Longer than {@link RESTORED_MS} on any other instance. */
const KEPT_MS = 30_000;

/** Events of that time before a connection was lost, as many as a log keeps, are published again when Redis has lost its memory. */
const RESTORED_MS = 10_000;

/** How often the events are looked through for old ones. */
const STEP_MS = 5000;

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

/** By id. Events that others replace are apart, as in the log: however many they are, they push out none of the others. */
class TopicEvents<Event> {
  readonly kept = new Map<string, RecentEvent<Event>>();
  readonly compacted = new Map<string, RecentEvent<Event>>();

  get parts(): readonly Map<string, RecentEvent<Event>>[] {
    return [this.kept, this.compacted];
  }

  get(id: string): RecentEvent<Event> | undefined {
    return this.kept.get(id) ?? this.compacted.get(id);
  }
}

type RecentOptions<Event> = Pick<BusOptions<Event>, "compactionOf" | "logAgeMs" | "timeOf">;

export class RecentEvents<Event> {
  /** Where the events were that say when they came about, for longer than the events themselves. */
  readonly positions: PastPositions;
  readonly #options: Partial<RecentOptions<Event>>;
  readonly #topics = new Map<string, TopicEvents<Event>>();
  /** Milliseconds of connection. It does not advance while Redis is disconnected, however long that takes. */
  #now = 0;
  #advancedAt = performance.now();

  constructor(options: Partial<RecentOptions<Event>> = {}) {
    this.#options = options;
    this.positions = new PastPositions(options.logAgeMs ?? KEPT_MS);
  }

  /** Redis is connected at that time of this process's clock. */
  advanceTo(at: number): void {
    if (at - this.#advancedAt < STEP_MS) return;
    // After an outage the time in which nothing could arrive does not count.
    this.advance(Math.min(at - this.#advancedAt, 2 * STEP_MS));
    this.#advancedAt = at;
  }

  /** Time has passed while Redis was connected. */
  advance(ms: number): void {
    this.#now += ms;
    for (const [topic, { parts }] of this.#topics) {
      for (const events of parts) this.#expire(events);
      if (parts.every(({ size }) => size === 0)) this.#topics.delete(topic);
    }
    this.positions.expire();
  }

  /** The log has an event that was published here. */
  published(topic: string, id: string, event: Event, position: Position): void {
    if (!this.#topics.get(topic)?.get(id)) this.#add(topic, id, { event, position, at: this.#now, isDelivered: false });
  }

  /** Notes that an event is being delivered. Returns whether it is the first time. */
  deliver(topic: string, id: string, event: Event, position: Position): boolean {
    const known = this.#topics.get(topic)?.get(id);
    if (known?.isDelivered) return false;
    if (known) known.isDelivered = true;
    else this.#add(topic, id, { event, position, at: this.#now, isDelivered: true });
    return true;
  }

  has(topic: string, id: string): boolean {
    return this.#topics.get(topic)?.get(id) !== undefined;
  }

  /** What was published here and has not come back, oldest first; without events that others replace. */
  undelivered(topic: string): readonly RecoveredEvent<Event>[] {
    const events = [...(this.#topics.get(topic)?.kept.values() ?? [])].filter(({ isDelivered }) => !isDelivered);
    return byPosition(events).map(({ event, position }) => ({
      event,
      atMs: this.#options.timeOf?.(event) ?? parsePosition(position).ms,
    }));
  }

  get topics(): Iterable<string> {
    return this.#topics.keys();
  }

  /** What a Redis that has lost its memory is told again, oldest first. */
  restorable(topic: string): readonly RecentEvent<Event>[] {
    const parts = this.#topics.get(topic)?.parts ?? [];
    return byPosition(parts.flatMap((events) => this.#restorable(events)));
  }

  #restorable(events: ReadonlyMap<string, RecentEvent<Event>>): readonly RecentEvent<Event>[] {
    return byPosition([...events.values()].filter(({ at }) => at > this.#now - RESTORED_MS)).slice(-LOG_MAX_EVENTS);
  }

  #expire(events: Map<string, RecentEvent<Event>>): void {
    for (const [id, { at }] of events) {
      if (at > this.#now - KEPT_MS) break;
      events.delete(id);
    }
  }

  #add(topic: string, id: string, recent: RecentEvent<Event>): void {
    const ofTopic = this.#topics.get(topic) ?? new TopicEvents<Event>();
    this.#topics.set(topic, ofTopic);
    const isCompacted = this.#options.compactionOf?.(recent.event) !== undefined;
    const cameAboutMs = isCompacted ? undefined : this.#options.timeOf?.(recent.event);
    if (cameAboutMs !== undefined) this.positions.note(topic, id, recent.position, cameAboutMs);
    const events = isCompacted ? ofTopic.compacted : ofTopic.kept;
    events.set(id, recent);
    if (events.size <= MAX_KEPT) return;
    const [oldest] = events.keys();
    if (oldest !== undefined) events.delete(oldest);
  }
}

function byPosition<Event>(events: readonly RecentEvent<Event>[]): readonly RecentEvent<Event>[] {
  return events.toSorted((a, b) => (a.position < b.position ? -1 : 1));
}
