/** The topics that this process listens to: each is one channel of Redis, whatever the number of its listeners. */
import { boundedEach } from "../../../bounded.ts";
import {
  whereReachable,
  type BusOptions,
  type StreamPosition,
  type TopicListener,
  type Unsubscribe,
} from "../../bus.ts";
import { CatchUp } from "../../catch-up.ts";
import { earlier, justBefore, latest, positionAt, type Position } from "../../position.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisShard } from "../connection/shard.ts";
import type { RedisKeys } from "../keys.ts";
import type { RedisChannels } from "./channels.ts";
import { Lingering } from "./lingering.ts";
import type { RedisLogEntry } from "./log.ts";
import { parseMessage } from "./message.ts";
import { TopicPast, type PastParts } from "./topic-past.ts";
import { RedisTopic, type TopicEntry } from "./topic.ts";

/** Topics that catch up at the same time. */
const CONCURRENCY = 64;

/** Before another attempt to read a log that could not be read. */
const RETRY_MS = 500;

/** What was published so shortly before listening began is known, should it be published again. */
const KNOWN_BEFORE_MS = 30_000;

/** How far the clocks of the nodes of a Cluster may be apart, and how long it may take until a moved slot is noticed. */
const CLUSTER_SLACK_MS = 5000;

/** How far this machine's clock may be ahead of that of a Redis that was not reached yet. */
const CLOCK_SLACK_MS = 2000;

interface TopicsParts<Event> extends PastParts<Event> {
  readonly options: BusOptions<Event>;
  readonly connection: RedisConnection;
  readonly channels: RedisChannels;
  readonly keys: RedisKeys;
  readonly onUndecodable: () => void;
  /** A topic cannot be subscribed to or read now; it is tried again. */
  readonly onFailed: (error: unknown) => void;
  /** No topic is left that could not be subscribed to or read. */
  readonly onRecovered: () => void;
}

export class RedisTopics<Event> {
  readonly #parts: TopicsParts<Event>;
  readonly #topics = new Map<string, RedisTopic<Event>>();
  /** Those that could not be subscribed to or read the last time. */
  readonly #failing = new Set<RedisTopic<Event>>();
  readonly #past: TopicPast<Event>;
  /** Those without listeners. */
  readonly #lingering = new Lingering<RedisTopic<Event>>((topic) => this.#leave(topic));
  /** The greatest position that was met, from whichever server. Empty before the first one. */
  #floor: Position = "";
  /** A guess of the present, by this machine's clock, for as long as no position was met. */
  readonly #started: Position = positionAt(Date.now() - CLOCK_SLACK_MS, 0);
  #isClosed = false;

  constructor(parts: TopicsParts<Event>) {
    this.#parts = parts;
    this.#past = new TopicPast(parts);
  }

  /** The greatest position that this process has met; empty before the first one. New positions are after it. */
  get floor(): Position {
    return this.#floor;
  }

  /** That position was met. */
  advance(position: Position): void {
    this.#floor = latest(this.#floor, position);
  }

  async subscribe(name: string, listener: TopicListener<Event>): Promise<Unsubscribe> {
    if (this.#isClosed) throw new Error("the bus is closed");
    const topic = this.#topics.get(name) ?? this.#open(name);
    this.#lingering.delete(topic);
    // An object of its own, so that the same listener subscribed twice is two subscriptions.
    const entry: TopicListener<Event> = {
      receive: (event, position) => listener.receive(event, position),
      recover: async (after, isKnown) => (listener.recover ? listener.recover(after, isKnown) : []),
    };
    topic.listeners.add(entry);
    if (!topic.isLive) await this.#bringUp(topic);
    return async () => {
      if (topic.listeners.delete(entry) && topic.listeners.size === 0 && !this.#isClosed) this.#lingering.add(topic);
    };
  }

  position(names: Iterable<string>): StreamPosition {
    const base = this.#base();
    const apart: [string, Position][] = [];
    for (const name of names) {
      const topic = this.#topics.get(name);
      if (!topic) continue;
      const position = topic.position ?? base;
      // A topic that is not live has not kept up with the others; one that was begun since is where it began.
      if (!topic.isLive || position > base) apart.push([name, position]);
    }
    return { base, topics: Object.fromEntries(apart) };
  }

  /** Whether every event of the topic after that position arrives here live: then the log need not be read. */
  hasAllAfter(name: string, after: Position): boolean {
    const topic = this.#topics.get(name);
    return topic?.isLive === true && topic.position !== undefined && topic.position <= after && after <= this.#floor;
  }

  /** Nothing is received on these channels any more. `received`: up to there everything was. */
  lost(channels: ReadonlySet<string>, received: Position | undefined): void {
    for (const topic of this.#topics.values()) {
      if (!channels.has(topic.channel) || !topic.isSubscribed) continue;
      if (topic.isLive && received !== undefined) topic.advance(this.#safely(received));
      topic.isSubscribed = false;
      topic.startCatchUp();
    }
  }

  /** Catches up in every topic of the server that is not live. Resolves to whether one had been subscribed to before. */
  async recover(shard: RedisShard): Promise<boolean> {
    if (!shard.isConnected) return false;
    const waiting = await this.rejoin(shard);
    const interrupted = waiting.filter(({ position }) => position !== undefined);
    await boundedEach(waiting, CONCURRENCY, async (topic) => {
      await this.#bringUp(topic);
      // That may have been an attempt on the connection before this one.
      if (!topic.isLive && shard.isConnected) await this.#bringUp(topic);
    });
    return interrupted.some(({ isLive }) => isLive);
  }

  /** Subscribes to every topic of the server that is not live. Resolves to them. */
  async rejoin(shard: RedisShard): Promise<readonly RedisTopic<Event>[]> {
    const { shards } = this.#parts.connection;
    const waiting = [...this.#topics.values()].filter((topic) => !topic.isLive && shards.at(topic.slot) === shard);
    if (waiting.length === 0) return [];
    try {
      await this.#parts.channels.join(waiting.map(({ channel }) => channel));
    } catch {
      // Each topic tries again by itself, and reports it.
    }
    return waiting;
  }

  close(): void {
    this.#isClosed = true;
    this.#lingering.close();
    for (const topic of this.#topics.values()) {
      clearTimeout(topic.retry);
      topic.listeners.clear();
      this.#parts.channels.ignore(topic.channel);
    }
    this.#topics.clear();
  }

  get #present(): Position {
    return this.#floor === "" ? this.#started : this.#floor;
  }

  /** At least that is the position of every live topic. */
  #base(): Position {
    return this.#safely(this.#parts.connection.shards.received ?? this.#present);
  }

  /** A topic may have come from another node not long ago, with another clock. */
  #safely(received: Position): Position {
    return this.#parts.connection.isCluster ? earlier(received, CLUSTER_SLACK_MS) : received;
  }

  #open(name: string): RedisTopic<Event> {
    const { options, keys, connection, recent } = this.#parts;
    const channel = keys.channel(name);
    const topic: RedisTopic<Event> = new RedisTopic<Event>({
      name,
      channel,
      slot: connection.shards.slot(channel),
      idOf: options.idOf,
      recent,
      onListenerError: options.onListenerError,
      catchUp: (of) => this.#catchUpOf(of),
      onBehind: (behind) => this.#runCatchUp(behind),
    });
    this.#topics.set(name, topic);
    return topic;
  }

  #catchUpOf(topic: RedisTopic<Event>): CatchUp<TopicEntry<Event>> {
    let readTo: Position = "";
    return new CatchUp<TopicEntry<Event>>(
      {
        isFull: () => false,
        read: async (_name, after, seen) => {
          const past = await this.#past.read(topic, after, seen);
          readTo = past.readTo;
          return past;
        },
        deliver: (entry) => topic.deliverEntry(entry),
        onCaughtUp: () => topic.advance(readTo),
      },
      // Nobody is slow here: nothing is read twice.
      Infinity,
    );
  }

  /** Resolves when the topic is live, or Redis is found to be disconnected. Never rejects. */
  #bringUp(topic: RedisTopic<Event>): Promise<void> {
    // Before everything that is published from now on.
    const base = this.#base();
    topic.joining ??= this.#join(topic, base)
      .catch((error: unknown) => {
        this.#postpone(topic, base);
        this.#retryLater(topic, error);
      })
      .finally(() => (topic.joining = undefined));
    return topic.joining;
  }

  async #join(topic: RedisTopic<Event>, base: Position): Promise<void> {
    const { channels, log } = this.#parts;
    const { channel, name } = topic;
    // Asked before anything else: what this process publishes from now on is after it.
    const asked = this.#present;
    const last = topic.position === undefined ? whereReachable(log.last(name), undefined) : undefined;
    if (!channels.has(channel)) await channels.listen(channel, (payload) => this.#receive(topic, payload));
    if (!channels.isUp(channel)) return this.#postpone(topic, base);
    const wasSubscribed = topic.isSubscribed;
    await channels.join([channel]);
    topic.isSubscribed = true;
    if (topic.position === undefined) await this.#begin(topic, asked, await last);
    // What is being read may have been asked for before the channel was subscribed to.
    else if (!wasSubscribed) topic.restartCatchUp();
    await topic.runCatchUp();
    this.#noteRecovery(topic);
  }

  /**
   * Begins to listen with what was published since it was asked for.
   *
   * @param asked the present of then. @param last the topic's last event then; undefined where that is not known: what is published next
   * is the first.
   */
  async #begin(topic: RedisTopic<Event>, asked: Position, last: Position | undefined): Promise<void> {
    const { log, options, recent, restoration } = this.#parts;
    const page = await log.recent(topic.name, asked, KNOWN_BEFORE_MS);
    restoration.met(page.epoch, false);
    const first = page.entries.find((entry) => isPublishedAfter(last, entry))?.position;
    const before = first === undefined ? page.present : justBefore(first);
    for (const { event, position, order } of page.entries) {
      if (position <= before) recent.deliver(topic.name, options.idOf(event), event, order);
    }
    topic.begin(before, page.epoch);
    if (first !== undefined) topic.startCatchUp();
  }

  #receive(topic: RedisTopic<Event>, payload: unknown): void {
    const message = parseMessage(payload, this.#parts.options);
    if (!message) return this.#parts.onUndecodable();
    if (message.type === "durable") {
      this.advance(message.position);
      this.#parts.connection.shards.at(topic.slot)?.advance(message.position);
    }
    if (message.type !== "transient") this.#parts.restoration.met(message.epoch, false);
    topic.receive(message);
  }

  /** Listening begins at that position nevertheless, and is continued when Redis answers. */
  #postpone(topic: RedisTopic<Event>, base: Position): void {
    if (topic.position === undefined) topic.begin(base, this.#parts.connection.shards.at(topic.slot)?.runId);
    topic.startCatchUp();
  }

  /** The topic fell behind while it was subscribed. */
  #runCatchUp(topic: RedisTopic<Event>): void {
    topic
      .runCatchUp()
      .then(() => this.#noteRecovery(topic))
      .catch((error: unknown) => this.#retryLater(topic, error));
  }

  #noteRecovery(topic: RedisTopic<Event>): void {
    if (this.#failing.delete(topic) && this.#failing.size === 0) this.#parts.onRecovered();
  }

  /** It is behind, and stays so. Where Redis is disconnected, {@link recover} is called when it is back. */
  #retryLater(topic: RedisTopic<Event>, error: unknown): void {
    const { connection, onFailed } = this.#parts;
    if (this.#topics.get(topic.name) !== topic) return;
    this.#failing.add(topic);
    onFailed(error);
    if (this.#isClosed || topic.retry !== undefined || !connection.hasCommands) return;
    const again = (): void => {
      topic.retry = undefined;
      if (this.#topics.get(topic.name) === topic && !topic.isLive) void this.#bringUp(topic);
    };
    topic.retry = setTimeout(again, RETRY_MS).unref();
  }

  #leave(topic: RedisTopic<Event>): void {
    // The library must not be told before it has answered.
    if (topic.joining) return this.#lingering.add(topic);
    clearTimeout(topic.retry);
    this.#topics.delete(topic.name);
    this.#parts.channels.ignore(topic.channel);
    this.#noteRecovery(topic);
  }
}

/** What was put again after Redis lost its memory is older than it looks. */
function isPublishedAfter(last: Position | undefined, { position, order }: RedisLogEntry<unknown>): boolean {
  return last !== undefined && position > last && order === position;
}
