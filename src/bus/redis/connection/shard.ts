/**
 * One server that events come from: a master of the Cluster, or the only server. Its listening connection is **verified** from when a
 * tick has arrived on it until it closes.
 */
import type { Redis } from "ioredis";
import { latest, type Position } from "../../position.ts";
import { hangUp } from "./clients.ts";
import { slotOf } from "./slot.ts";
import { positionOfTick, type SendTick } from "./tick.ts";

/** Channels that one SUBSCRIBE names at most. */
const CHANNELS_AT_ONCE = 500;

/** Ticks without an answer, sent once a second, after which a server is reported as unresponsive. */
const UNRESPONSIVE_TICKS = 4;

/**
 * After so many the connection is replaced: it may be half open. Counted in turns of this process's own timer, so that a busy machine
 * does not count them faster than it works. A server that is merely slow loses nothing by it.
 */
const DEAD_TICKS = 15;

/** What is notified of a shard's state. None may throw. */
export interface ShardEvents {
  /** The connection is open; no channel is subscribed to on it. */
  opened(shard: RedisShard): void;
  /** Channels can be subscribed to. The connection is not verified yet. */
  listening(shard: RedisShard): void;
  /** A tick arrived. */
  ticked(shard: RedisShard, position: Position): void;
  /** It is the first one on this connection. */
  verified(shard: RedisShard): void;
  received(channel: string, message: string): void;
  /** Nothing is received on these channels any more: the connection is gone, or their slots are. */
  lost(shard: RedisShard, channels: ReadonlySet<string>): void;
  closed(shard: RedisShard): void;
  /** The server says that slots are not, or no longer, its own. */
  moved(): void;
  /** A payload that could not be decoded. */
  undecodable(): void;
  failed(error: unknown): void;
}

interface ShardParts {
  readonly client: Redis;
  readonly sendTick: SendTick;
  /** A channel of this process alone that lies on the server now. */
  readonly tickChannel: () => string;
  readonly events: ShardEvents;
}

export class RedisShard {
  readonly #parts: ShardParts;
  /** Whether the server takes commands; undefined while it was not asked yet. */
  isServing: boolean | undefined;
  /** The process of Redis that was met there last. */
  runId: string | undefined;
  /** Why the server refuses to write, as it said last. */
  refusal: Error | undefined;
  #isOpen = false;
  #isVerified = false;
  /** The greatest position that has arrived on this connection. */
  #received: Position | undefined;
  /** Turns of the timer since the last answer to a tick, and since the last tick that arrived. */
  #unanswered = 0;
  #unreceived = 0;
  #isTicking = false;
  #tickChannel: string | undefined;
  /** Whether channels are sharded on this server, as it said last. Undefined until it was asked. */
  #isSharded: boolean | undefined;
  /** Subscribed to on the present connection; by channel, when the server has acknowledged it. */
  readonly #joined = new Map<string, Promise<void>>();
  /** Subscriptions that the server has not acknowledged yet. */
  readonly #waiting = new Set<PromiseWithResolvers<unknown>>();

  constructor(parts: ShardParts) {
    this.#parts = parts;
  }

  get isVerified(): boolean {
    return this.#isVerified;
  }

  /** Whether the server takes commands and events are received from it. */
  get isConnected(): boolean {
    return this.isServing === true && this.#isVerified;
  }

  /** Whether the server has not answered for some seconds. */
  get isUnresponsive(): boolean {
    return this.#unanswered >= UNRESPONSIVE_TICKS || this.#unreceived >= UNRESPONSIVE_TICKS;
  }

  /** Whether the commands' connection is to be replaced. */
  get isDead(): boolean {
    return this.#unanswered >= DEAD_TICKS;
  }

  /** Everything that was published on this server up to there was received, on the channels that are joined. */
  get received(): Position | undefined {
    return this.#received;
  }

  get channels(): Iterable<string> {
    return this.#joined.keys();
  }

  /** Begins to connect, and tries until closed. */
  start(): void {
    const { client } = this.#parts;
    client.on("ready", () => this.#open());
    client.on("close", () => this.#lose());
    client.on("message", (channel: string, message: string) => this.#receive(channel, message));
    client.on("smessage", (channel: string, message: string) => this.#receive(channel, message));
    client.on("moved", () => this.#refuse());
    client.on("error", (error: Error) => this.#onError(error));
    // Failures come as events too, and are followed by another attempt.
    client.connect().catch(() => undefined);
  }

  /** An event with that position arrived. */
  advance(position: Position): void {
    this.#received = latest(this.#received, position);
  }

  /** Resolves to the process of Redis; ticks are received from then on. Rejects where it does not take commands. */
  async identify(): Promise<string> {
    const { runId, isSharded } = await this.#tick();
    if (this.#isOpen) void this.#listen(isSharded);
    return runId;
  }

  /** The same once a second; undefined while the answer to the one before is awaited. Replaces a connection that is dead. */
  async probe(): Promise<string | undefined> {
    if (this.#isOpen && this.#unreceived >= DEAD_TICKS) this.hangUp();
    this.#unreceived++;
    this.#unanswered++;
    if (this.#isTicking) return undefined;
    return this.identify();
  }

  /** Resolves when the server has acknowledged all of them, on the present connection. Rejects where it has not. */
  async join(channels: readonly string[]): Promise<void> {
    if (this.#isSharded === undefined)
      throw new Error("the server was not asked yet how its channels are subscribed to");
    const missing = channels.filter((channel) => !this.#joined.has(channel));
    for (const together of this.#isSharded ? bySlot(missing) : inSlices(missing)) this.#subscribe(together);
    await Promise.all(channels.map((channel) => this.#joined.get(channel) ?? Promise.resolve()));
  }

  leave(channel: string): void {
    if (!this.#joined.delete(channel) || !this.#isOpen) return;
    const { client } = this.#parts;
    const left = this.#isSharded ? client.sunsubscribe(channel) : client.unsubscribe(channel);
    // Where it fails the connection is gone, or the slot is, and so is the subscription.
    left.catch(() => undefined);
  }

  /** Leaves channels that lie elsewhere by now. */
  release(strays: readonly string[]): void {
    if (strays.length === 0) return;
    this.#parts.events.lost(this, new Set(strays));
    for (const channel of strays) {
      if (channel === this.#tickChannel) this.hangUp();
      // Sharded ones have been ended by the server.
      if (this.#isSharded) this.#joined.delete(channel);
      else this.leave(channel);
    }
  }

  /** Replaces the connection. */
  hangUp(): void {
    hangUp(this.#parts.client);
  }

  /** Another server has taken its place. What still arrives from the former one is ignored. */
  abandon(): void {
    this.#lose();
    this.hangUp();
  }

  /** The server is not of the Cluster any more, or does not matter any more. */
  drop(): void {
    this.isServing = false;
    this.#isVerified = false;
    this.#lose();
    this.#parts.client.disconnect();
  }

  async #tick(): ReturnType<SendTick> {
    this.#tickChannel ??= this.#parts.tickChannel();
    this.#isTicking = true;
    try {
      const ticked = await this.#parts.sendTick(this.#tickChannel);
      this.#unanswered = 0;
      this.refusal = ticked.refusal === undefined ? undefined : new Error(ticked.refusal);
      if (this.refusal?.message.startsWith("READONLY")) throw this.refusal;
      return ticked;
    } catch (error) {
      // A refusal is an answer.
      if (error instanceof Error && error.name === "ReplyError") this.#unanswered = 0;
      throw error;
    } finally {
      this.#isTicking = false;
    }
  }

  /** Subscribes to the ticks, in the way in which the server publishes now: it may have been allowed another meanwhile. */
  async #listen(isSharded: boolean): Promise<void> {
    const wasSharded = this.#isSharded;
    this.#isSharded = isSharded;
    if (isSharded !== (wasSharded ?? isSharded)) return this.hangUp();
    try {
      this.#tickChannel ??= this.#parts.tickChannel();
      if (this.#joined.has(this.#tickChannel)) return;
      // The first of all channels: a tick that arrives later shows that nothing on any other was missed.
      const joined = this.join([this.#tickChannel]);
      this.#parts.events.listening(this);
      await joined;
      await this.#tick();
    } catch (error) {
      // The next probe tries again.
      this.#parts.events.failed(error);
    }
  }

  #subscribe(channels: readonly string[]): void {
    const { client } = this.#parts;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.add(answer);
    (this.#isSharded ? client.ssubscribe(...channels) : client.subscribe(...channels))
      .then(answer.resolve, answer.reject)
      .finally(() => this.#waiting.delete(answer));
    const joined = answer.promise.then(
      () => undefined,
      (error: unknown) => {
        for (const channel of channels) if (this.#joined.get(channel) === joined) this.#joined.delete(channel);
        throw error;
      },
    );
    // Callers that wait for it are notified of the failure too.
    joined.catch(() => undefined);
    for (const channel of channels) this.#joined.set(channel, joined);
  }

  #receive(channel: string, message: string): void {
    // An event of a released channel may still be under way here, while it is read from the log already.
    if (!this.#joined.has(channel)) return;
    if (channel !== this.#tickChannel) return this.#parts.events.received(channel, message);
    const position = positionOfTick(message);
    if (position === undefined) return this.#parts.events.undecodable();
    this.#unreceived = 0;
    this.advance(position);
    this.#parts.events.ticked(this, position);
    if (this.#isVerified) return;
    this.#isVerified = true;
    this.#parts.events.verified(this);
  }

  #open(): void {
    this.#isOpen = true;
    this.#unreceived = 0;
    this.#received = undefined;
    this.#tickChannel = undefined;
    // Most likely as before; the answer to the next tick corrects it.
    if (this.#isSharded !== undefined) void this.#listen(this.#isSharded);
    this.#parts.events.opened(this);
  }

  #lose(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const wasVerified = this.#isVerified;
    this.#isVerified = false;
    this.#unreceived = 0;
    this.#parts.events.lost(this, new Set(this.#joined.keys()));
    this.#joined.clear();
    if (wasVerified) this.#parts.events.closed(this);
  }

  /** MOVED: ioredis does not say which command it answers. Whatever is not acknowledged is sent again. */
  #refuse(): void {
    for (const { reject } of this.#waiting) reject(new Error("MOVED: the slot is on another node"));
    this.#parts.events.moved();
  }

  /**
   * An answer that was not asked for is an error to ioredis. When a slot leaves, the server ends its subscriptions with such an answer
   * (`sunsubscribe`), which names the channel. Any other one may have been taken for the answer to something else: the connection is
   * replaced.
   */
  #onError({ message }: Error): void {
    if (!this.#isOpen) return;
    const ended = /Last reply: sunsubscribe,(.*),\d+$/s.exec(message)?.[1];
    if (ended === undefined) return this.hangUp();
    if (this.#joined.has(ended)) this.release([ended]);
    this.#parts.events.moved();
  }
}

/** One SSUBSCRIBE takes channels of one slot. */
function bySlot(channels: readonly string[]): Iterable<readonly string[]> {
  return Map.groupBy(channels, slotOf).values();
}

function inSlices(channels: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(channels.length / CHANNELS_AT_ONCE);
  return Array.from({ length: count }, (_, n) => channels.slice(n * CHANNELS_AT_ONCE, (n + 1) * CHANNELS_AT_ONCE));
}
