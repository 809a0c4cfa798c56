/** The topics that this process listens to: each is one channel of Redis, whatever the number of its listeners. */
import { LRUCache } from "lru-cache";
import {
  EVENT_ID_TTL_MS,
  type BusOptions,
  type LogEntry,
  type Mark,
  type TopicListener,
  type Unsubscribe,
} from "../../bus.ts";
import { earlier, latest, positionAt, type Position } from "../../position.ts";
import type { RedisChannels } from "./channels.ts";
import type { RedisConnection } from "../connection/connection.ts";
import { openEnvelope } from "./envelope.ts";
import type { RedisKeys } from "../keys.ts";
import type { RedisLog } from "./log.ts";
import { REPEATED_MS } from "./publisher.ts";
import type { RedisShard } from "../connection/shard.ts";
import { RedisTopic, type GivenEvents, type Received } from "./topic.ts";

/** How long a topic that everybody has left is still listened to: a page that is reloaded is back by then. */
const LINGER_MS = 5000;

/** Topics that are brought up to date at the same time. */
const HEALED_AT_ONCE = 64;

/** Events remembered as given. */
const MAX_GIVEN = 50_000;

/** What the nodes of a cluster may be apart by their clocks, and how long it may take until it is known that a slot has moved. */
const CLUSTER_SLACK_MS = 5000;

/** From its publication until it may be repeated, beyond the time after which nothing is. */
const REPEATED_SLACK_MS = 5000;

/** Before a Redis that was never met: how far this machine's clock may be ahead of its. */
const CLOCK_SLACK_MS = 2000;

interface TopicsParts<Event> {
  readonly options: BusOptions<Event>;
  readonly connection: RedisConnection;
  readonly channels: RedisChannels;
  readonly log: RedisLog<Event>;
  readonly keys: RedisKeys;
  readonly onGarbage: () => void;
}

export class RedisTopics<Event> {
  readonly #parts: TopicsParts<Event>;
  readonly #topics = new Map<string, RedisTopic<Event>>();
  readonly #given = givenEvents();
  /** The greatest position that was met, from whichever server. */
  #heard: Position = positionAt(Date.now() - CLOCK_SLACK_MS, 0);
  #isClosed = false;

  constructor(parts: TopicsParts<Event>) {
    this.#parts = parts;
  }

  /** The greatest position that this process has met. */
  get heard(): Position {
    return this.#heard;
  }

  /** That position has been met. */
  hear(position: Position): void {
    this.#heard = latest(this.#heard, position);
  }

  async subscribe(name: string, listener: TopicListener<Event>): Promise<Unsubscribe> {
    if (this.#isClosed) throw new Error("the bus is closed");
    const topic = this.#topics.get(name) ?? this.#open(name);
    clearTimeout(topic.leaving);
    // An object of its own, so that the same listener subscribed twice is two subscriptions.
    const entry: TopicListener<Event> = {
      receive: (event, position) => listener.receive(event, position),
      missed: (after, isGiven) => listener.missed?.(after, isGiven),
    };
    topic.listeners.add(entry);
    if (!topic.isLive) await this.#bringUp(topic);
    return async () => {
      if (topic.listeners.delete(entry) && topic.listeners.size === 0) this.#leaveLater(topic);
    };
  }

  get(name: string): RedisTopic<Event> | undefined {
    return this.#topics.get(name);
  }

  mark(names: Iterable<string>): Mark {
    const base = this.#base();
    const apart: [string, Position][] = [];
    for (const name of names) {
      const topic = this.#topics.get(name);
      if (!topic) continue;
      const position = topic.position ?? base;
      // One that is not live has not kept up with the others; one that was begun since stands where it began.
      if (!topic.isLive || position > base) apart.push([name, position]);
    }
    return { base, topics: Object.fromEntries(apart) };
  }

  /**
   * Whether the log has nothing after that position which has not been given to who listens here, or is about to be: then it need
   * not be asked.
   */
  hasAllAfter(name: string, after: Position): boolean {
    const topic = this.#topics.get(name);
    return topic?.isLive === true && topic.lastGiven !== undefined && topic.lastGiven <= after;
  }

  /**
   * Nothing comes on these channels any more: where their topics stand now is where they will be read on from. `heard`: up to there
   * whatever was published on them has come.
   */
  lost(channels: ReadonlySet<string>, heard: Position | undefined): void {
    for (const topic of this.#topics.values()) {
      if (!channels.has(topic.channel)) continue;
      // What had not been read yet when the connection was lost again will be read with the rest.
      if (topic.isLive && heard !== undefined) topic.advance(this.#safely(heard));
      topic.isLive = false;
      topic.held = undefined;
    }
  }

  /** The server is another one than before. */
  replaced(shard: RedisShard): void {
    for (const topic of this.#on(shard, ({ position }) => position !== undefined)) topic.isElsewhere = true;
  }

  /**
   * Brings every topic of the server that is not live up to date, as far as the server answers. Resolves to whether one came back that
   * somebody had listened to before: what is not in the log may have gone by.
   */
  async heal(shard: RedisShard): Promise<boolean> {
    if (!shard.isConnected) return false;
    const waiting = await this.rejoin(shard);
    const interrupted = waiting.filter(({ position }) => position !== undefined);
    const next = waiting.values();
    const workers = Array.from({ length: HEALED_AT_ONCE }, async () => {
      for (const topic of next) {
        await this.#bringUp(topic);
        // That may have been an attempt on the connection before this one.
        if (!topic.isLive && shard.isConnected) await this.#bringUp(topic);
      }
    });
    await Promise.all(workers);
    return interrupted.some(({ isLive }) => isLive);
  }

  /**
   * Subscribes to every topic of the server that is not live: what comes from now on is held until the log has been read, and need
   * not be in it. Resolves to them.
   */
  async rejoin(shard: RedisShard): Promise<readonly RedisTopic<Event>[]> {
    const waiting = this.#on(shard, (topic) => !topic.isLive);
    if (waiting.length === 0) return [];
    for (const topic of waiting) topic.held ??= [];
    try {
      await this.#parts.channels.join(waiting.map(({ channel }) => channel));
    } catch {
      // Refused, or lost again: each topic meets it by itself, and so do the attempts to come.
    }
    return waiting;
  }

  /** Everybody is given what this process has published on that server and has not been sent back. */
  giveExpected(shard: RedisShard): void {
    for (const topic of this.#on(shard, () => true)) topic.giveAllExpected();
  }

  close(): void {
    this.#isClosed = true;
    for (const topic of this.#topics.values()) {
      clearTimeout(topic.leaving);
      topic.listeners.clear();
      this.#parts.channels.ignore(topic.channel);
    }
    this.#topics.clear();
  }

  #on(shard: RedisShard, isMeant: (topic: RedisTopic<Event>) => boolean): RedisTopic<Event>[] {
    const { shards } = this.#parts.connection;
    return [...this.#topics.values()].filter((topic) => isMeant(topic) && shards.at(topic.slot) === shard);
  }

  /** Where every topic that is live stands at least. */
  #base(): Position {
    return this.#safely(this.#parts.connection.shards.heard ?? this.#heard);
  }

  /** A topic may have come from another node not long ago, with another clock. */
  #safely(heard: Position): Position {
    return this.#parts.connection.isCluster ? earlier(heard, CLUSTER_SLACK_MS) : heard;
  }

  #open(name: string): RedisTopic<Event> {
    const { options, keys, connection } = this.#parts;
    const channel = keys.channel(name);
    const place = { name, channel, slot: connection.shards.slot(channel) };
    const topic = new RedisTopic<Event>(place, this.#given, options.onListenerError);
    this.#topics.set(name, topic);
    return topic;
  }

  /** Resolves when the topic is live, or Redis is found to be away: then it is brought up when Redis is back. Never rejects. */
  #bringUp(topic: RedisTopic<Event>): Promise<void> {
    topic.joining ??= this.#join(topic)
      // Refused, or lost on the way: the next tick tries again.
      .catch(() => this.#stayAway(topic))
      .finally(() => (topic.joining = undefined));
    return topic.joining;
  }

  async #join(topic: RedisTopic<Event>): Promise<void> {
    const { channels } = this.#parts;
    const { channel } = topic;
    if (!channels.has(channel)) await channels.listen(channel, (payload) => this.#receive(topic, payload));
    if (!channels.isUp(channel)) return this.#stayAway(topic);
    const held = (topic.held ??= []);
    await channels.join([channel]);
    const from = topic.position;
    const missed = from === undefined ? await this.#begin(topic) : await this.#readAfter(topic, from);
    if (topic.held !== held) {
      // Who subscribes is told that it stands: it stands from there.
      if (from === undefined) topic.advance(missed.since);
      // Lost again meanwhile, or too much has come: what was read is read once more, with what has come since.
      return this.#topics.get(topic.name)?.held ? this.#join(topic) : undefined;
    }
    if (from !== undefined && missed.since > from) {
      // What this process has published and the log has lost would count as past from here on: who listens here has it first.
      topic.giveAllExpected();
      topic.missed(from);
      topic.lastGiven = undefined;
    }
    topic.begin(missed.since);
    topic.catchUp(missed.entries);
    topic.lastGiven ??= topic.position;
    topic.isLive = true;
  }

  /** Where listening begins. A Redis that has lost its memory is told again what was published shortly before that. */
  async #begin(topic: RedisTopic<Event>): Promise<{ readonly since: Position; readonly entries: readonly never[] }> {
    const { log } = this.#parts;
    const since = await log.present(topic.name);
    const recent = await log.recent(topic.name, earlier(since, REPEATED_MS + REPEATED_SLACK_MS));
    topic.ignore(recent.filter(({ position }) => position <= since).map((entry) => this.#toReceived(entry)));
    return { since, entries: [] };
  }

  /** What the log has of a topic after that position, and since when that is all that there was. */
  async #readAfter(
    topic: RedisTopic<Event>,
    after: Position,
  ): Promise<{ readonly since: Position; readonly entries: readonly Received<Event>[] }> {
    const { log } = this.#parts;
    // One Redis took another's place, perhaps while the former one went on for some: then all that it was told is looked at.
    const read = topic.isElsewhere ? undefined : await log.read(topic.name, after);
    const { since, entries } = read ? { since: after, entries: read } : await log.tail(topic.name);
    return { since, entries: entries.map((entry) => this.#toReceived(entry)) };
  }

  #toReceived({ event, position }: LogEntry<Event>): Received<Event> {
    return { event, position, id: this.#parts.options.idOf(event) };
  }

  /** Listening begins now, though Redis cannot be told: it will be read on from here. */
  #stayAway(topic: RedisTopic<Event>): void {
    topic.position ??= this.#base();
  }

  #receive(topic: RedisTopic<Event>, payload: unknown): void {
    const received = openEnvelope(payload, this.#parts.options);
    if (!received) return this.#parts.onGarbage();
    if (received.position !== undefined) {
      this.hear(received.position);
      this.#parts.connection.shards.at(topic.slot)?.hear(received.position);
    }
    topic.receive(received);
  }

  #leaveLater(topic: RedisTopic<Event>): void {
    clearTimeout(topic.leaving);
    if (this.#isClosed) return;
    topic.leaving = setTimeout(() => this.#leave(topic), LINGER_MS).unref();
  }

  #leave(topic: RedisTopic<Event>): void {
    // On its way in: who subscribed may be gone already, but the library must not be told before it has answered.
    if (topic.joining) return this.#leaveLater(topic);
    this.#topics.delete(topic.name);
    this.#parts.channels.ignore(topic.channel);
  }
}

function givenEvents(): GivenEvents {
  const ids = new LRUCache<string, true>({ max: MAX_GIVEN, ttl: EVENT_ID_TTL_MS });
  return {
    add(topic, id) {
      const key = `${topic}\n${id}`;
      if (ids.has(key)) return false;
      ids.set(key, true);
      return true;
    },
    has: (topic, id) => ids.has(`${topic}\n${id}`),
  };
}
