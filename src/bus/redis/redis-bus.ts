/** The bus of many processes, over Redis: its parts, and what they tell one another. */
import { randomUUID } from "node:crypto";
import { boundedWait } from "../../bounded.ts";
import { parseRedisAddress } from "../../config/redis-address.ts";
import { Counts, type Durations } from "../../measures.ts";
import {
  BusUnavailable,
  GAP_OUTCOMES,
  type AllowedRate,
  type Bus,
  type ConnectionListener,
  type EventLog,
  type RateLimiter,
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
import { restoreEvents } from "./events/restore.ts";
import { RedisTopics } from "./events/topics.ts";
import { redisKeys, type RedisKeys } from "./keys.ts";
import { Observers } from "./observers.ts";
import type { RedisBusOptions } from "./options.ts";
import { RedisHeartbeat } from "./presence/heartbeat.ts";
import { RedisPresence } from "./presence/presence.ts";
import { Restoration } from "./restoration.ts";
import { createRedisLimiter } from "./store/limiter.ts";
import { RedisFencedState } from "./store/fenced.ts";
import { createRedisExpiringSets, createRedisState } from "./store/state.ts";

/** How long the start waits for Redis, and the end for events that are being sent. */
const START_PATIENCE_MS = 1500;
const CLOSE_PATIENCE_MS = 2000;

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
  readonly gaps = new Counts(GAP_OUTCOMES);
  readonly #connection: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #channels: RedisChannels;
  readonly #topics: RedisTopics<Event>;
  readonly #publisher: RedisPublisher<Event>;
  readonly #recent: RecentEvents<Event>;
  /** What knows the events that an emptied Redis is told again. */
  readonly #restored: Parameters<typeof restoreEvents<Event>>[0];
  readonly #heartbeat: RedisHeartbeat;
  readonly #restoration: Restoration;
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
  #closed: Promise<void> | undefined;

  constructor(options: RedisBusOptions<Event>) {
    const { url, prefix, tls, presenceTtlMs: ttlMs, presenceGraceMs: graceMs, onListenerError } = options;
    const instanceId = randomUUID();
    const address = parseRedisAddress(url);
    this.#refusals = new Refusals(options);
    this.#outage = new Outage(options, this.#refusals);
    const clients = createRedisClients(address, { tls, onError: (error) => this.#outage.failed(error) });
    const keys = redisKeys(prefix, { database: address.database, isCluster: address.kind === "cluster" });
    const connection = (this.#connection = new RedisConnection(clients, keys, instanceId, () => this.#topics.floor));
    this.#channels = new RedisChannels(connection);
    const log = new RedisLog({ connection, keys, options, onUndecodable: () => void this.#undecodable++ });
    this.#recent = new RecentEvents<Event>(options);
    const restoration = (this.#restoration = new Restoration({
      connection,
      keys,
      instanceId,
      peers: () => this.#heartbeat.peers,
      isRefused: () => this.#refusals.hasAny,
      onError: onListenerError,
      onRestored: () => this.#heartbeat.restored(),
    }));
    const publisher = new RedisPublisher<Event>({
      options,
      connection,
      keys,
      recent: this.#recent,
      floor: () => this.#topics.floor,
      onPosition: (position) => this.#topics.advance(position),
      onRefused: (error) => this.#refusals.add("event", error),
      onAccepted: () => this.#refusals.remove("event"),
      onDropping: (topic) => options.onDropping?.(topic),
    });
    const topics = new RedisTopics({
      options,
      connection,
      channels: this.#channels,
      log,
      keys,
      recent: this.#recent,
      publisher,
      restoration,
      gaps: this.gaps,
      onUndecodable: () => void this.#undecodable++,
      onFailed: (error) => this.#topicFailed(error),
      onRecovered: () => this.#refusals.remove("subscription"),
    });
    this.#restored = { connection, keys, recent: this.#recent, publisher, log };
    this.#options = options;
    this.#observers = new Observers(onListenerError);
    this.#topics = topics;
    this.#publisher = publisher;
    const ofPresence = { connection, keys, restoration, graceMs };
    this.presence = new RedisPresence({ ...ofPresence, onListenerError }, instanceId);
    this.#heartbeat = new RedisHeartbeat({ ...ofPresence, presence: this.presence, instanceId, ttlMs });
    this.state = createRedisState(connection, keys);
    this.fenced = new RedisFencedState(connection, keys, restoration);
    this.expiringSets = createRedisExpiringSets(connection, keys);
    this.#keys = keys;
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
      commandsReady: () => this.#heartbeat.resume(),
      commandsLost: () => {
        this.#heartbeat.lost();
        this.#noteOutage();
      },
      serves: (shard, emptied) => {
        if (emptied !== undefined) this.#restore(shard, emptied);
        this.#publisher.resume();
      },
      disturbed: () => this.#noteOutage(),
      connected: (shard) => void this.#recover(shard, true),
      listening: (shard) => void this.#topics.rejoin(shard),
      ticked: (shard, position) => {
        this.#topics.advance(position);
        this.#recent.advanceTo(performance.now());
        // Topics that Redis refused the last time.
        void this.#recover(shard);
      },
      probed: () => this.#noteSilence(),
      met: (runId, isFirst) => this.#restoration.met(runId, isFirst),
      answered: (refusal) => (refusal ? this.#refusals.add("tick", refusal) : this.#refusals.remove("tick")),
      received: (channel, message) => this.#channels.receive(channel, message),
      lost: (shard, lost) => this.#topics.lost(lost, shard.received),
      changed: () => this.#followSlots(),
      undecodable: () => void this.#undecodable++,
      failed: (error) => this.#outage.failed(error),
    });
    await boundedWait(this.#options.startPatienceMs ?? START_PATIENCE_MS, this.#arrived.promise, undefined);
    this.#isStarted = true;
    this.#isRestored = false;
    // Observers that are added from now on are not notified of an outage that is over.
    if (this.#connection.isWhole) this.#observers.restored();
    else this.#noteOutage();
  }

  async publish(topic: string, event: Event): ReturnType<Bus<Event>["publish"]> {
    if (this.#closed) throw new Error("the bus is closed");
    return this.#publisher.publish(topic, event);
  }

  subscribe(...args: Parameters<Bus<Event>["subscribe"]>): ReturnType<Bus<Event>["subscribe"]> {
    return this.#topics.subscribe(...args);
  }

  limiter(rate: AllowedRate): RateLimiter {
    return createRedisLimiter(this.#connection, this.#keys, rate);
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
    this.#restoration.close();
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

  /** The server has lost what this instance remembers. */
  #restore(shard: RedisShard, epoch: string): void {
    this.#restoration.begin(epoch, [
      (onProgress) => this.#observers.emptied(onProgress),
      (onProgress) => restoreEvents(this.#restored, shard, onProgress),
      (onProgress, isLate) => this.#heartbeat.emptied(onProgress, isLate),
    ]);
  }

  /** Events and topics go where their slots went. */
  #followSlots(): void {
    this.#publisher.resume();
    for (const shard of this.#connection.shards.all) void this.#recover(shard);
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
