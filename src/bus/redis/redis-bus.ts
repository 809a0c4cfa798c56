/** The bus of many processes, over Redis: what they are made of. Each file beside this one says what it promises. */
import { randomUUID } from "node:crypto";
import type { RedisOptions } from "ioredis";
import type { Bus, BusOptions, ConnectionListener } from "../bus.ts";
import { RedisChannels } from "./events/channels.ts";
import { createRedisClients } from "./connection/clients.ts";
import { RedisConnection } from "./connection/connection.ts";
import { RedisHeartbeat } from "./presence/heartbeat.ts";
import { redisKeys } from "./keys.ts";
import { createRedisLimiter } from "./store/limiter.ts";
import { RedisLog } from "./events/log.ts";
import { RedisPresence } from "./presence/presence.ts";
import { RedisPublisher } from "./events/publisher.ts";
import { RedisSender } from "./events/sender.ts";
import type { RedisShard } from "./connection/shard.ts";
import { createRedisOwnedState, createRedisRosters, createRedisState } from "./store/state.ts";
import { RedisTopics } from "./events/topics.ts";

/** How long the start waits for Redis, and the end for what is queued. */
const START_PATIENCE_MS = 1500;
const CLOSE_PATIENCE_MS = 1000;

export interface RedisBusOptions<Event> extends BusOptions<Event> {
  /** As {@link parseRedisAddress} takes it. */
  readonly url: string;
  /** Beginning of every key and channel: what has another one is not seen. */
  readonly prefix: string;
  /** Within this time the users of an instance that has died are offline. */
  readonly presenceTtlMs: number;
  /** As long as callers wait before they settle; a grace whose caller has died is ended by another instance. */
  readonly presenceGraceMs: number;
  /** Over what the address says: the certificates that are trusted. */
  readonly tls?: RedisOptions["tls"];
  /** Hears, once an outage, that Redis or a node of it is away, with what was last heard from its connections; and that all is back. */
  readonly onOutage?: (error: unknown) => void;
  readonly onReturn?: () => void;
  /** Hears of events that the other instances will not get: too many waited, or Redis refuses them. */
  readonly onGivenUp?: (count: number, cause?: unknown) => void;
}

/** Connects to Redis. Resolves also where it is away, after a moment, and goes on trying. */
export async function createRedisBus<Event>(options: RedisBusOptions<Event>): Promise<Bus<Event>> {
  const bus = new RedisBus(options);
  await bus.start();
  return bus;
}

class RedisBus<Event> implements Bus<Event> {
  readonly state: Bus<Event>["state"];
  readonly owned: Bus<Event>["owned"];
  readonly rosters: Bus<Event>["rosters"];
  readonly presence: RedisPresence;
  readonly log: Bus<Event>["log"];
  readonly limiter: Bus<Event>["limiter"];
  readonly #connection: RedisConnection;
  readonly #channels: RedisChannels;
  readonly #topics: RedisTopics<Event>;
  readonly #publisher: RedisPublisher<Event>;
  readonly #heartbeat: RedisHeartbeat;
  readonly #observers = new Set<ConnectionListener>();
  readonly #options: RedisBusOptions<Event>;
  readonly #arrived = Promise.withResolvers<void>();
  #garbage = 0;
  #lastError: unknown;
  #isAway = false;
  /** Since observers were told last: something that was shared is gone; something may have been missed. */
  #isEmptied = false;
  #isRestored = false;
  /** Servers whose topics are being brought up to date. */
  #healing = 0;
  /** Whether the start has waited for Redis to the end; whoever comes back later is told of. */
  #isStarted = false;
  #closed: Promise<void> | undefined;

  constructor(options: RedisBusOptions<Event>) {
    const { url, prefix, tls, presenceTtlMs: ttlMs, presenceGraceMs: graceMs, onListenerError } = options;
    const instanceId = randomUUID();
    const keys = redisKeys(prefix);
    const onGarbage = (): void => void this.#garbage++;
    const clients = createRedisClients(url, { tls, onError: (error) => (this.#lastError = error) });
    const connection = new RedisConnection(clients, keys, instanceId, () => this.#topics.heard);
    const channels = new RedisChannels(connection);
    const log = new RedisLog(connection, keys, options, onGarbage);
    const topics = new RedisTopics({ options, connection, channels, log, keys, onGarbage });
    const onGivenUp = (count: number, cause?: unknown): void => options.onGivenUp?.(count, cause);
    this.#options = options;
    this.#connection = connection;
    this.#channels = channels;
    this.#topics = topics;
    const sender = new RedisSender({ options, connection, channels, topics, keys });
    this.#publisher = new RedisPublisher({ options, instanceId, connection, topics, sender, keys, onGivenUp });
    this.presence = new RedisPresence({ connection, keys, graceMs, onListenerError }, instanceId);
    this.#heartbeat = new RedisHeartbeat({ connection, keys, presence: this.presence, instanceId, ttlMs, graceMs });
    this.state = createRedisState(connection, keys);
    this.owned = createRedisOwnedState(connection, keys);
    this.rosters = createRedisRosters(connection, keys);
    this.limiter = (rate) => createRedisLimiter(connection, keys, rate);
    this.log = {
      mark: (names) => topics.mark(names),
      read: async (topic, after) => (topics.hasAllAfter(topic, after) ? [] : log.read(topic, after)),
      tail: (topic) => log.tail(topic),
    };
  }

  get isConnected(): boolean {
    return this.#connection.isConnected;
  }

  get statistics(): Bus<Event>["statistics"] {
    return { garbage: this.#garbage, queued: this.#publisher.queued, outages: this.#connection.outages };
  }

  /** Resolves when Redis is there, or has been waited for long enough. */
  async start(): Promise<void> {
    this.#connection.start({
      commandsReady: (isEmptied) => this.#heartbeat.resume(isEmptied),
      commandsLost: () => {
        this.#publisher.lost();
        this.#heartbeat.lost();
        this.#noteOutage();
      },
      serves: (shard, isEmptied) => {
        this.#isEmptied ||= isEmptied;
        if (isEmptied) this.#topics.replaced(shard);
        this.#publisher.resume(shard, isEmptied);
      },
      disturbed: () => {
        this.#publisher.lost();
        this.#noteOutage();
      },
      connected: (shard) => void this.#heal(shard, true),
      listening: (shard) => void this.#topics.rejoin(shard),
      heard: (shard, position) => {
        this.#topics.hear(position);
        // Topics that Redis refused the last time.
        void this.#heal(shard);
      },
      deaf: (shard) => this.#topics.giveExpected(shard),
      received: (channel, message) => this.#channels.receive(channel, message),
      lost: (shard, lost) => this.#topics.lost(lost, shard.heard),
      changed: () => this.#followSlots(),
      garbage: () => void this.#garbage++,
      failed: (error) => (this.#lastError = error),
    });
    await withinMs(this.#arrived.promise, START_PATIENCE_MS);
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
    // An object of its own, so that the same listener may observe twice.
    const entry: ConnectionListener = { restored: (isEmptied) => listener.restored(isEmptied) };
    this.#observers.add(entry);
    return () => void this.#observers.delete(entry);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Stops accepting, then lets go of the subscriptions, and hangs up last. */
  async #close(): Promise<void> {
    await withinMs(this.#publisher.drained(), CLOSE_PATIENCE_MS);
    this.#topics.close();
    await this.#heartbeat.close();
    await this.#connection.close();
  }

  /**
   * Brings what lies on that server up to date. `isBack`: it could not be published or heard for a while. Who observes is told when
   * that, or a slot that moved, may have let something pass which is not in the log.
   */
  async #heal(shard: RedisShard, isBack = false): Promise<void> {
    this.#healing++;
    const isHealed = await this.#topics.heal(shard);
    this.#healing--;
    // Several that are back at the same time are told of once.
    this.#isRestored ||= isHealed || (isBack && shard.isConnected);
    if (this.#healing > 0) return;
    this.#noteReturn();
    if (!this.#isStarted || !this.#isRestored) return;
    const isEmptied = this.#isEmptied;
    this.#isRestored = false;
    this.#isEmptied = false;
    this.#tellRestored(isEmptied);
  }

  /** Events and topics go where their slots went. */
  #followSlots(): void {
    this.#publisher.flush();
    for (const shard of this.#connection.shards.all) void this.#heal(shard);
  }

  #noteReturn(): void {
    if (!this.#connection.isWhole) return;
    this.#arrived.resolve();
    if (this.#isAway) this.#options.onReturn?.();
    this.#isAway = false;
  }

  #noteOutage(): void {
    if (this.#isAway || this.#closed) return;
    this.#isAway = true;
    this.#options.onOutage?.(this.#lastError);
  }

  #tellRestored(isEmptied: boolean): void {
    for (const observer of this.#observers) {
      try {
        observer.restored(isEmptied);
      } catch (error) {
        this.#options.onListenerError(error);
      }
    }
  }
}

/** Resolves when the promise does, or after that time. */
async function withinMs(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise, end]);
  clearTimeout(timer);
}
