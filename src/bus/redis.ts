/** The bus of many processes, over Redis: what they are made of. Each file beside this one says what it promises. */
import { randomUUID } from "node:crypto";
import type { RedisOptions } from "ioredis";
import type { Bus, BusOptions, ConnectionListener } from "./bus.ts";
import { positionIn } from "./redis-envelope.ts";
import { RedisChannels } from "./redis-channels.ts";
import { createRedisClients } from "./redis-clients.ts";
import { RedisConnection } from "./redis-connection.ts";
import { RedisHeartbeat } from "./redis-heartbeat.ts";
import { redisKeys } from "./redis-keys.ts";
import { createRedisLimiter } from "./redis-limiter.ts";
import { RedisLog } from "./redis-log.ts";
import { RedisPresence } from "./redis-presence.ts";
import { RedisPublisher } from "./redis-publisher.ts";
import { createRedisOwnedState, createRedisRosters, createRedisState } from "./redis-state.ts";
import { RedisTopics } from "./redis-topics.ts";

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
  /** Hears, once an outage, that Redis is away, with what was last heard from its connections; and that it is back. */
  readonly onOutage?: (error: Error | undefined) => void;
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
  readonly #tickChannel: string;
  readonly #present: RedisLog<Event>["present"];
  readonly #arrived = Promise.withResolvers<void>();
  #garbage = 0;
  #lastError: Error | undefined;
  #isAway = false;
  /** Whether the start has waited for Redis to the end; whoever comes back later is told of. */
  #isStarted = false;
  #closed: Promise<void> | undefined;

  constructor(options: RedisBusOptions<Event>) {
    const { url, prefix, tls, presenceTtlMs: ttlMs, presenceGraceMs: graceMs, onListenerError } = options;
    const instanceId = randomUUID();
    const keys = redisKeys(prefix);
    const onGarbage = (): void => void this.#garbage++;
    const clients = createRedisClients(url, { tls, onError: (error) => (this.#lastError = error) });
    this.#tickChannel = keys.tick(instanceId);
    const connection = new RedisConnection(clients, keys, this.#tickChannel, () => this.#topics.heard);
    const channels = new RedisChannels(connection);
    const log = new RedisLog(connection, keys, options, onGarbage);
    const topics = new RedisTopics({ options, connection, channels, log, keys, onGarbage });
    const onGivenUp = (count: number, cause?: unknown): void => options.onGivenUp?.(count, cause);
    this.#options = options;
    this.#connection = connection;
    this.#channels = channels;
    this.#topics = topics;
    this.#present = (topic) => log.present(topic);
    this.#publisher = new RedisPublisher({ options, instanceId, connection, channels, topics, keys, onGivenUp });
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
    await this.#channels.listen(this.#tickChannel, (payload) => this.#hearTick(payload));
    this.#connection.start({
      commandsReady: (isEmptied) => {
        if (isEmptied) this.#topics.replaced();
        this.#publisher.resume(isEmptied);
        this.#heartbeat.resume(isEmptied);
      },
      commandsLost: () => {
        this.#publisher.lost();
        this.#heartbeat.lost();
        this.#noteOutage();
      },
      subscriberReady: () => undefined,
      subscriberLost: () => {
        this.#topics.lost();
        this.#channels.forget();
        this.#noteOutage();
      },
      deaf: () => this.#topics.giveExpected(),
      connected: (isEmptied) => void this.#restore(isEmptied),
    });
    await withinMs(this.#arrived.promise, START_PATIENCE_MS);
    this.#isStarted = true;
    if (!this.isConnected) this.#noteOutage();
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
    this.#channels.ignore(this.#tickChannel);
    await this.#heartbeat.close();
    await this.#connection.close();
  }

  /** Both connections stand. */
  async #restore(isEmptied: boolean): Promise<void> {
    // The tick's channel comes first: what is heard on it later says that nothing on any other has been overheard.
    await this.#channels.join([this.#tickChannel]).catch(() => undefined);
    if (!this.#isStarted) await this.#beginHere();
    await this.#topics.heal();
    if (!this.#connection.isConnected) return;
    this.#arrived.resolve();
    if (this.#isAway) this.#options.onReturn?.();
    this.#isAway = false;
    if (this.#isStarted) this.#tellRestored(isEmptied);
  }

  /** Nothing has been subscribed to yet: everything that was published before now is past. */
  async #beginHere(): Promise<void> {
    await this.#present(this.#tickChannel).then(
      (position) => this.#topics.hear(position),
      // The first tick will tell.
      () => undefined,
    );
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

  #hearTick(payload: unknown): void {
    const position = positionIn(payload);
    if (position === undefined) return void this.#garbage++;
    this.#topics.hear(position);
    this.#connection.heard();
    // Topics that Redis refused the last time.
    void this.#topics.heal();
  }
}

/** Resolves when the promise does, or after that time. */
async function withinMs(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise, end]);
  clearTimeout(timer);
}
