/**
 * One server, as events come from it: a master of the cluster, or the only server that there is. Its connection listens to the channels
 * that lie on that server, and it **stands** from when a tick has come back over it until it closes.
 */
import type { Redis } from "ioredis";
import { latest, type Position } from "../../position.ts";
import { hangUp } from "./clients.ts";
import { withinTime } from "./patience.ts";
import { slotOf } from "./slot.ts";
import { positionOfTick, type SendTick } from "./tick.ts";

/** Channels that one SUBSCRIBE names at most. */
const CHANNELS_AT_ONCE = 500;

/** What hears of a shard's fate. None may throw. */
export interface ShardEvents {
  /** The connection is open; nothing is subscribed to on it. */
  opened(shard: RedisShard): void;
  /** Channels can be joined from now on; whether all that comes is heard is not known yet. */
  listening(shard: RedisShard): void;
  /** A tick has come back. */
  heard(shard: RedisShard, position: Position): void;
  /** It is the first one on this connection: from now on nothing is overheard on it. */
  stands(shard: RedisShard): void;
  /** So many ticks have not come back that the connection is not waited for any longer. */
  deaf(shard: RedisShard): void;
  received(channel: string, message: string): void;
  /** What is published on these is not heard any more: the connection is gone, or their slots are. */
  lost(shard: RedisShard, channels: ReadonlySet<string>): void;
  closed(shard: RedisShard): void;
  /** The server says that slots are not, or no longer, its own. */
  moved(): void;
  /** A payload that was none of ours. */
  garbage(): void;
  failed(error: unknown): void;
}

interface ShardParts {
  readonly client: Redis;
  readonly sendTick: SendTick;
  /** A channel of this process's own that lies on the server now. */
  readonly tickChannel: () => string;
  readonly events: ShardEvents;
}

export class RedisShard {
  readonly #parts: ShardParts;
  /** Whether the server takes commands, as its owner has found; undefined while it has not been asked yet. */
  isServing: boolean | undefined;
  #isOpen = false;
  #isStanding = false;
  /** The greatest position that has come over this connection. */
  #heard: Position | undefined;
  /** Ticks sent since the last one that came back. */
  #unheard = 0;
  #tickChannel: string | undefined;
  /** How it is listened to: as the server publishes, or did when it was asked last. Undefined until it has been for the first time. */
  #isSharded: boolean | undefined;
  /** Subscribed to on the present connection; by channel, when the server has said so. */
  readonly #joined = new Map<string, Promise<void>>();
  /** Of those for which the server has not said so yet. */
  readonly #waiting = new Set<PromiseWithResolvers<unknown>>();

  constructor(parts: ShardParts) {
    this.#parts = parts;
  }

  get isStanding(): boolean {
    return this.#isStanding;
  }

  /** Whether it can be both published to and listened to. */
  get isConnected(): boolean {
    return this.isServing === true && this.#isStanding;
  }

  /** Everything that was published on this server up to there has been received, on the channels that are joined. */
  get heard(): Position | undefined {
    return this.#heard;
  }

  get channels(): Iterable<string> {
    return this.#joined.keys();
  }

  /** Begins to connect, and goes on until closed. */
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

  /** Something with that position has come over the connection. */
  hear(position: Position): void {
    this.#heard = latest(this.#heard, position);
  }

  /** Resolves to which process of Redis it is; from then on, if not before, ticks are heard. Rejects where it does not take commands. */
  async greet(): Promise<string> {
    const { runId, isSharded } = await this.#tick();
    if (this.#isOpen) void this.#listen(isSharded);
    return runId;
  }

  /** The same from time to time: a connection that is dead is found out, and hung up on. */
  async probe(): Promise<string> {
    // Two ticks that went out and were not heard: it is dead, however open it looks.
    if (this.#isOpen && this.#unheard >= 2) this.hangUp();
    this.#unheard++;
    if (!this.#isStanding && this.#unheard >= 2) this.#parts.events.deaf(this);
    try {
      return await this.greet();
    } catch (error) {
      // It did not go out: that it is not heard says nothing of the connection.
      this.#unheard = Math.max(0, this.#unheard - 1);
      throw error;
    }
  }

  /** Resolves when the server has acknowledged all of them, on the present connection. Rejects where it has not. */
  async join(channels: readonly string[]): Promise<void> {
    if (this.#isSharded === undefined) throw new Error("it is not known yet how this server is listened to");
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

  /** The connection is not to be trusted: another one is made. */
  hangUp(): void {
    hangUp(this.#parts.client);
  }

  /** Another server has taken its place, and this one may go on as if nothing had been: what still comes from it does not count. */
  abandon(): void {
    this.#lose();
    this.hangUp();
  }

  /** Says goodbye, or hangs up where nobody answers. */
  async close(): Promise<void> {
    const { client } = this.#parts;
    try {
      if (client.status === "ready") await withinTime(client.quit());
    } catch {
      // It is hung up on below.
    }
    this.drop();
  }

  /** The server is not of the cluster any more, or does not matter any more. */
  drop(): void {
    this.isServing = false;
    this.#isStanding = false;
    this.#lose();
    this.#parts.client.disconnect();
  }

  /** Its first words tell how the server publishes; that nobody hears them yet does not matter. */
  #tick(): ReturnType<SendTick> {
    this.#tickChannel ??= this.#parts.tickChannel();
    return withinTime(this.#parts.sendTick(this.#tickChannel));
  }

  /** Makes sure that ticks are heard, in the way in which the server publishes now: it may have been allowed another meanwhile. */
  async #listen(isSharded: boolean): Promise<void> {
    const wasSharded = this.#isSharded;
    this.#isSharded = isSharded;
    if (isSharded !== (wasSharded ?? isSharded)) return this.hangUp();
    try {
      this.#tickChannel ??= this.#parts.tickChannel();
      if (this.#joined.has(this.#tickChannel)) return;
      // The first of all channels: what is heard on it later says that nothing on any other has been overheard.
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
    // Whoever waits for it hears of the failure too; where nobody does any more it is no news.
    joined.catch(() => undefined);
    for (const channel of channels) this.#joined.set(channel, joined);
  }

  #receive(channel: string, message: string): void {
    // What was released may still be under way here, while it is read from the log already.
    if (!this.#joined.has(channel)) return;
    if (channel !== this.#tickChannel) return this.#parts.events.received(channel, message);
    const position = positionOfTick(message);
    if (position === undefined) return this.#parts.events.garbage();
    this.#unheard = 0;
    this.hear(position);
    this.#parts.events.heard(this, position);
    if (this.#isStanding) return;
    this.#isStanding = true;
    this.#parts.events.stands(this);
  }

  #open(): void {
    this.#isOpen = true;
    this.#unheard = 0;
    this.#heard = undefined;
    this.#tickChannel = undefined;
    // Most likely as before; the answer to the tick corrects it.
    if (this.#isSharded !== undefined) void this.#listen(this.#isSharded);
    this.#parts.events.opened(this);
  }

  #lose(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const wasStanding = this.#isStanding;
    this.#isStanding = false;
    this.#unheard = 0;
    this.#parts.events.lost(this, new Set(this.#joined.keys()));
    this.#joined.clear();
    if (wasStanding) this.#parts.events.closed(this);
  }

  /** MOVED, which ioredis tells, but not to whom: whatever has not been acknowledged is asked for again. */
  #refuse(): void {
    for (const { reject } of this.#waiting) reject(new Error("MOVED: the slot is on another node"));
    this.#parts.events.moved();
  }

  /**
   * Answers that nobody asked for are errors to ioredis. A slot that leaves has its subscriptions ended in that way (`sunsubscribe`); it
   * says of which channel. Any other one may have been taken for the answer to something else: then nothing on this connection is sure.
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
