/** The bus of many processes, over Redis: its parts, and what they tell one another. */
import { randomUUID } from "node:crypto";
import type { RedisOptions } from "ioredis";
import { boundedWait } from "../../bounded.ts";
import { parseRedisAddress } from "../../config/redis-address.ts";
import { Counts, type Durations } from "../../measures.ts";
import {
  BusUnavailable,
  GAP_OUTCOMES,
  type Bus,
  type BusOptions,
  type ConnectionListener,
  type EventLog,
} from "../bus.ts";
import { createRedisClients } from "./connection/clients.ts";
import { RedisConnection } from "./connection/connection.ts";
import { Outage } from "./connection/outage.ts";
import { Refusals } from "./connection/refusals.ts";
import type { RedisShard } from "./connection/shard.ts";
import { RedisChannels } from "./events/channels.ts";
import { RedisLog } from "./events/log.ts";
import { RedisPublisher } from "./events/publisher.ts";
import { RecentEvents } from "./events/recent-events.ts";
import { RedisTopics } from "./events/topics.ts";
import { redisKeys } from "./keys.ts";
import { Observers } from "./observers.ts";
import { RedisHeartbeat } from "./presence/heartbeat.ts";
import { RedisPresence } from "./presence/presence.ts";
import { createRedisLimiter } from "./store/limiter.ts";
import { createRedisExpiringSets, createRedisFencedState, createRedisState } from "./store/state.ts";

/** How long the start waits for Redis, and the end for events that are being sent. */
const START_PATIENCE_MS = 1500;
const CLOSE_PATIENCE_MS = 2000;

export interface RedisBusOptions<Event> extends BusOptions<Event> {
  /** As {@link parseRedisAddress} takes it, which throws where it cannot. */
  readonly url: string;
  /** Beginning of every key and channel: buses with different ones are apart. */
  readonly prefix: string;
  /** Within this time the users of a dead instance are offline. */
  readonly presenceTtlMs: number;
  /** As long as callers wait before they settle; a grace whose caller has died is ended by another instance. */
  readonly presenceGraceMs: number;
  /** Overrides the address: the certificates that are trusted. */
  readonly tls?: RedisOptions["tls"];
  /**
   * Is notified when Redis, or a node of it, is disconnected, with the reason if it is known; once more if Redis turns out later to
   * refuse the connection; and when all is connected again. No error has a password or an event in it.
   */
  readonly onOutage?: (error: unknown) => void;
  readonly onReturn?: () => void;
  /** Redis is connected and has not answered for some seconds; it answers again. */
  readonly onSilent?: () => void;
  readonly onAnswer?: () => void;
  /** Redis refuses to write, for that reason. Called once for each reason until it accepts again. */
  readonly onRefused?: (error: unknown) => void;
  readonly onAccepted?: () => void;
  /** Too many events wait: those of this topic are dropped, and its listeners recover them from elsewhere when Redis is back. */
  readonly onDropping?: (topic: string) => void;
}

/** Connects to Redis. Resolves after a moment where Redis is unreachable, and tries for ever. */
export async function createRedisBus<Event>(options: RedisBusOptions<Event>): Promise<Bus<Event>> {
  const bus = new RedisBus(options);
  await bus.start();
  return bus;
}

class RedisBus<Event> implements Bus<Event> {
  readonly state: Bus<Event>["state"];
  readonly fenced: Bus<Event>["fenced"];
  readonly expiringSets: Bus<Event>["expiringSets"];
  readonly presence: RedisPresence;
  readonly log: Bus<Event>["log"];
  readonly limiter: Bus<Event>["limiter"];
  readonly gaps = new Counts(GAP_OUTCOMES);
  readonly #connection: RedisConnection;
  readonly #channels: RedisChannels;
  readonly #topics: RedisTopics<Event>;
  readonly #publisher: RedisPublisher<Event>;
  readonly #recent: RecentEvents<Event>;
  readonly #heartbeat: RedisHeartbeat;
  readonly #observers: Observers;
  readonly #options: RedisBusOptions<Event>;
  readonly #arrived = Promise.withResolvers<void>();
  readonly #outage: Outage;
  #undecodable = 0;
  readonly #refusals: Refusals;
  /** Events may have been missed since observers were notified last. */
  #isRestored = false;
  #isSilent = false;
  /** Servers whose topics are catching up. */
  #recovering = 0;
  /** Whether the start has waited for Redis; observers are notified of later reconnects. */
  #isStarted = false;
  #advancedAt = performance.now();
  #closed: Promise<void> | undefined;

  constructor(options: RedisBusOptions<Event>) {
    const { url, prefix, tls, presenceTtlMs: ttlMs, presenceGraceMs: graceMs, onListenerError } = options;
    const instanceId = randomUUID();
    const onUndecodable = (): void => void this.#undecodable++;
    const address = parseRedisAddress(url);
    const outage = new Outage(options);
    this.#refusals = new Refusals(options);
    const clients = createRedisClients(address, { tls, onError: (error) => outage.failed(error) });
    const keys = redisKeys(prefix, { database: address.database, isCluster: address.kind === "cluster" });
    const connection = new RedisConnection(clients, keys, instanceId, () => this.#topics.floor);
    const channels = new RedisChannels(connection);
    const log = new RedisLog({ connection, keys, options, onUndecodable });
    const recent = new RecentEvents<Event>((event) => options.compactionOf?.(event) !== undefined);
    const publisher = new RedisPublisher<Event>({
      options,
      connection,
      keys,
      recent,
      floor: () => this.#topics.floor,
      onPosition: (position) => this.#topics.advance(position),
      onRefused: (error) => this.#refusals.add("event", error),
      onAccepted: () => this.#refusals.remove("event"),
      onDropping: (topic) => options.onDropping?.(topic),
    });
    const topics = new RedisTopics({
      options,
      connection,
      channels,
      log,
      keys,
      recent,
      publisher,
      gaps: this.gaps,
      onUndecodable,
      onFailed: (error) => this.#topicFailed(error),
      onRecovered: () => this.#refusals.remove("subscription"),
    });
    this.#options = options;
    this.#observers = new Observers(onListenerError);
    this.#outage = outage;
    this.#recent = recent;
    this.#connection = connection;
    this.#channels = channels;
    this.#topics = topics;
    this.#publisher = publisher;
    this.presence = new RedisPresence({ connection, keys, graceMs, onListenerError }, instanceId);
    this.#heartbeat = new RedisHeartbeat({ connection, keys, presence: this.presence, instanceId, ttlMs, graceMs });
    this.state = createRedisState(connection, keys);
    this.fenced = createRedisFencedState(connection, keys);
    this.expiringSets = createRedisExpiringSets(connection, keys);
    const limiter: Bus<Event>["limiter"] = (rate) => createRedisLimiter(connection, keys, rate);
    this.limiter = limiter;
    this.log = logOf(log, topics);
  }

  get isConnected(): boolean {
    return this.#connection.isConnected && this.#connection.isResponsive && !this.#refusals.hasAny;
  }

  get commands(): Durations {
    return this.#connection.durations;
  }

  get statistics(): Bus<Event>["statistics"] {
    const { queued, dropped } = this.#publisher;
    return { undecodable: this.#undecodable, queued, dropped, outages: this.#connection.outages };
  }

  /** Resolves when Redis is connected, or was waited for long enough. */
  async start(): Promise<void> {
    this.#connection.start({
      commandsReady: (isEmptied) => this.#heartbeat.resume(isEmptied),
      commandsLost: () => {
        this.#heartbeat.lost();
        this.#noteOutage();
      },
      serves: (shard, isEmptied) => {
        if (isEmptied) this.#observers.emptied();
        if (isEmptied) this.#topics.restore(shard);
        this.#publisher.resume();
      },
      disturbed: () => this.#noteOutage(),
      connected: (shard) => void this.#recover(shard, true),
      listening: (shard) => void this.#topics.rejoin(shard),
      ticked: (shard, position) => {
        this.#topics.advance(position);
        this.#advanceRecent();
        // Topics that Redis refused the last time.
        void this.#recover(shard);
      },
      probed: () => this.#noteSilence(),
      met: (runId, isFirst) => this.#topics.met(runId, isFirst),
      answered: (refusal) => (refusal ? this.#refusals.add("tick", refusal) : this.#refusals.remove("tick")),
      received: (channel, message) => this.#channels.receive(channel, message),
      lost: (shard, lost) => this.#topics.lost(lost, shard.received),
      changed: () => this.#followSlots(),
      undecodable: () => void this.#undecodable++,
      failed: (error) => this.#outage.failed(error),
    });
    await boundedWait(START_PATIENCE_MS, this.#arrived.promise, undefined);
    this.#isStarted = true;
    this.#isRestored = false;
    if (!this.#connection.isWhole) this.#noteOutage();
  }

  async publish(topic: string, event: Event): ReturnType<Bus<Event>["publish"]> {
    if (this.#closed) throw new Error("the bus is closed");
    return this.#publisher.publish(topic, event);
  }

  subscribe(...args: Parameters<Bus<Event>["subscribe"]>): ReturnType<Bus<Event>["subscribe"]> {
    return this.#topics.subscribe(...args);
  }

  observe(listener: ConnectionListener): () => void {
    return this.#observers.add(listener);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Stops accepting, then leaves the topics, and disconnects last. */
  async #close(): Promise<void> {
    await boundedWait(CLOSE_PATIENCE_MS, this.#publisher.idle(), undefined);
    this.#publisher.close();
    this.#topics.close();
    await boundedWait(CLOSE_PATIENCE_MS, this.#heartbeat.close(), undefined);
    this.#connection.close();
  }

  /**
   * Lets the topics of that server catch up. `isBack`: the server was disconnected. Observers are notified when that, or a slot that
   * moved, may have let transient events pass.
   */
  async #recover(shard: RedisShard, isBack = false): Promise<void> {
    this.#recovering++;
    const hasRecovered = await this.#topics.recover(shard);
    this.#recovering--;
    // Several servers that are back at the same time are one reconnect.
    this.#isRestored ||= hasRecovered || (isBack && shard.isConnected);
    if (this.#recovering > 0) return;
    this.#noteReturn();
    if (!this.#isStarted || !this.#isRestored) return;
    this.#isRestored = false;
    this.#observers.restored();
  }

  /** Events and topics go where their slots went. */
  #followSlots(): void {
    this.#publisher.resume();
    for (const shard of this.#connection.shards.all) void this.#recover(shard);
  }

  #advanceRecent(): void {
    const now = performance.now();
    if (now - this.#advancedAt < RECENT_STEP_MS) return;
    // After an outage the time in which nothing could arrive does not count.
    this.#recent.advance(Math.min(now - this.#advancedAt, 2 * RECENT_STEP_MS));
    this.#advancedAt = now;
  }

  #topicFailed(error: unknown): void {
    const cause = error instanceof BusUnavailable ? error.cause : error;
    if (cause !== undefined) this.#outage.failed(cause);
    if (cause instanceof Error && cause.name === "ReplyError") this.#refusals.add("subscription", cause);
  }

  /** For the log alone. */
  #noteSilence(): void {
    const isSilent = this.#connection.isConnected && !this.#connection.isResponsive;
    if (isSilent === this.#isSilent) return;
    this.#isSilent = isSilent;
    if (isSilent) this.#options.onSilent?.();
    else if (this.#connection.isConnected) this.#options.onAnswer?.();
  }

  #noteReturn(): void {
    if (!this.#connection.isWhole) return;
    this.#arrived.resolve();
    this.#outage.end();
  }

  #noteOutage(): void {
    if (this.#closed) return;
    this.#outage.begin();
    this.#observers.lost();
  }
}

/** The log as readers see it: what arrives live in any case is not read. */
function logOf<Event>(log: RedisLog<Event>, topics: RedisTopics<Event>): EventLog<Event> {
  return {
    position: (names) => topics.position(names),
    read: async (topic, after, part = "kept") => (topics.hasAllAfter(topic, after) ? [] : log.read(topic, after, part)),
    tail: (topic) => log.tail(topic),
    positionsOf: (topic, ids) => log.positionsOf(topic, ids),
    delayAfter: (topic, after) => log.delayAfter(topic, after),
  };
}

/** How often the recent events are looked through for old ones. */
const RECENT_STEP_MS = 5000;
