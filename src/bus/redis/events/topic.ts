/** One topic, as this process hears it: who listens, and up to where they have been given everything. */
import { LOG_MAX_EVENTS, type TopicListener } from "../../bus.ts";
import { latest, type Position } from "../../position.ts";

/** Something received, or read from the log. */
export interface Received<Event> {
  readonly event: Event;
  /** Of a logged event. */
  readonly position: Position | undefined;
  /** What it is known by, however often it comes. */
  readonly id: string;
}

/** Which events have been given to the listeners of this process. Bounded: those from longest ago are forgotten. */
export interface GivenEvents {
  /** Notes it. Whether it was not noted yet. */
  add(topic: string, id: string): boolean;
  has(topic: string, id: string): boolean;
}

interface Expected<Event> {
  readonly event: Event;
  /** Once Redis has said it. */
  position: Position | undefined;
}

/** Events that are held at most; the log keeps no more of a topic either. */
const MAX_HELD = LOG_MAX_EVENTS;

/** Of its own events that a topic waits for at most. */
const MAX_EXPECTED = 10_000;

export class RedisTopic<Event> {
  readonly name: string;
  readonly channel: string;
  /** Where the channel lies, as `RedisShards.slot` says it: asked for with every event. */
  readonly slot: number;
  readonly listeners = new Set<TopicListener<Event>>();
  /** Whether everything that is published on it arrives. */
  isLive = false;
  /** Up to there everything was given, or was before anybody listened. Undefined until Redis was asked for the first time. */
  position: Position | undefined;
  /** What has arrived while it is read what came before it. Undefined where nothing has to wait. */
  held: Received<Event>[] | undefined;
  /** Under way to live. */
  joining: Promise<void> | undefined;
  leaving: NodeJS.Timeout | undefined;
  /** Whether Redis was replaced by another since: what the former one gave last may be news to nobody who is with the other one. */
  isElsewhere = false;
  /** Where the last one that was given stands, or the place from which on it would have been given. */
  lastGiven: Position | undefined;
  /** Events of this process that were published and have not come back, by id, in the order of publishing. */
  readonly #expected = new Map<string, Expected<Event>>();
  readonly #given: GivenEvents;
  readonly #onListenerError: (error: unknown) => void;

  constructor(
    { name, channel, slot }: { readonly name: string; readonly channel: string; readonly slot: number },
    given: GivenEvents,
    onListenerError: (error: unknown) => void,
  ) {
    this.name = name;
    this.channel = channel;
    this.slot = slot;
    this.#given = given;
    this.#onListenerError = onListenerError;
  }

  /** Takes what came over Redis; in the order of the log, but for what has been there before. */
  receive(received: Received<Event>): void {
    if (!this.held) return this.#take(received);
    this.held.push(received);
    // Whoever waits for the log finds another list here than before, and reads it again: what is logged is in it. Of the rest,
    // which is nowhere else, the newest stay.
    if (this.held.length > MAX_HELD) {
      this.held = this.held.filter(({ position }) => position === undefined).slice(-MAX_HELD / 2);
    }
  }

  /** Gives what was read, and then what has been held meanwhile. */
  catchUp(missed: readonly Received<Event>[]): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const received of missed) this.#take(received);
    for (const received of held) this.#take(received);
    for (const [id, { position }] of this.#expected) {
      if (position !== undefined && this.#isPast(position)) this.#expected.delete(id);
    }
  }

  /** An event of this process is on its way to Redis, from where it comes back. */
  expect(id: string, event: Event): void {
    if (this.#given.has(this.name, id)) return;
    this.#expected.set(id, { event, position: undefined });
    for (const oldest of this.#expected.keys()) {
      if (this.#expected.size <= MAX_EXPECTED) break;
      this.#expected.delete(oldest);
    }
  }

  /**
   * It is out. Without a position nobody waits for it any more: it is not in the log, or had been published before. One that was
   * published before this topic was listened to does not come at all.
   */
  published(id: string, position: Position | undefined): void {
    const expected = this.#expected.get(id);
    if (expected && position !== undefined && !this.#isPast(position)) expected.position = position;
    else this.#expected.delete(id);
  }

  /**
   * Redis is away. Gives an event of this process without it, and before it those that were published earlier and would have come
   * earlier: they may have gone out, and their echo been lost.
   */
  giveExpected(id: string): void {
    if (!this.#expected.has(id)) return;
    for (const [earlier, { event }] of this.#expected) {
      this.#expected.delete(earlier);
      if (this.#given.add(this.name, earlier)) this.#give(event, undefined);
      if (earlier === id) return;
    }
  }

  giveAllExpected(): void {
    const last = [...this.#expected.keys()].at(-1);
    if (last !== undefined) this.giveExpected(last);
  }

  missed(after: Position): void {
    const isGiven = (id: string): boolean => this.#given.has(this.name, id);
    this.#tell((listener) => listener.missed?.(after, isGiven));
  }

  /** They were published before anybody listened here: should they come again, they are no news. */
  ignore(earlier: readonly Received<Event>[]): void {
    for (const { id } of earlier) this.#given.add(this.name, id);
  }

  /** Everything up to there counts as given. */
  advance(position: Position): void {
    this.position = latest(this.position, position);
  }

  /** The server that is there now has everything from there on. What of it was given before is known by its id. */
  begin(since: Position): void {
    if (this.isElsewhere) this.position = since;
    else this.advance(since);
    this.isElsewhere = false;
  }

  #isPast(position: Position): boolean {
    return this.position !== undefined && position <= this.position;
  }

  #take({ event, position, id }: Received<Event>): void {
    this.#expected.delete(id);
    if (position !== undefined) {
      if (this.#isPast(position)) return;
      this.position = position;
      this.lastGiven = position;
    }
    // Given when Redis was away, or come again after Redis had lost its memory of it: only the place in the order is new.
    if (this.#given.add(this.name, id)) this.#give(event, position);
  }

  #give(event: Event, position: Position | undefined): void {
    this.#tell((listener) => listener.receive(event, position));
  }

  #tell(call: (listener: TopicListener<Event>) => void): void {
    // Who begins to listen while being told is told of the next one.
    for (const listener of Array.from(this.listeners)) {
      if (!this.listeners.has(listener)) continue;
      try {
        call(listener);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}
