/** Channels of Redis, through graphql-redis-subscriptions. Nothing here fails unheard: the library is kept from what it cannot. */
import { RedisPubSub } from "graphql-redis-subscriptions";
import type { Redis } from "ioredis";
import type { RedisConnection } from "./redis-connection.ts";

/** Channels that one SUBSCRIBE names at most. */
const CHANNELS_AT_ONCE = 500;

export class RedisChannels {
  readonly #connection: RedisConnection;
  readonly #pubsub: RedisPubSub;
  /** Subscribed to on the connection that is there now; by channel, when Redis has said so. */
  readonly #joined = new Map<string, Promise<void>>();
  readonly #ids = new Map<string, number>();

  constructor(connection: RedisConnection) {
    this.#connection = connection;
    this.#pubsub = new RedisPubSub({
      publisher: connection.publisher,
      subscriber: this.#harmless(connection.subscriber),
    });
  }

  /**
   * `receive` is called with every payload of the channel, from when {@link join} has resolved, on this connection and on those after
   * it once they have joined. It must not throw.
   */
  async listen(channel: string, receive: (payload: unknown) => void): Promise<void> {
    this.#ids.set(channel, await this.#pubsub.subscribe(channel, receive));
  }

  /** Resolves when Redis has acknowledged all of them, on the present connection. Rejects where it has not. */
  async join(channels: readonly string[]): Promise<void> {
    const missing = channels.filter((channel) => !this.#joined.has(channel));
    for (let start = 0; start < missing.length; start += CHANNELS_AT_ONCE) {
      this.#subscribe(missing.slice(start, start + CHANNELS_AT_ONCE));
    }
    await Promise.all(channels.map((channel) => this.#joined.get(channel) ?? Promise.resolve()));
  }

  /** Whether somebody listens to it. */
  has(channel: string): boolean {
    return this.#ids.has(channel);
  }

  /** Nothing of this channel is received any more. */
  ignore(channel: string): void {
    const id = this.#ids.get(channel);
    this.#ids.delete(channel);
    if (id !== undefined) this.#pubsub.unsubscribe(id);
  }

  /** The connection is gone, and with it every subscription. */
  forget(): void {
    this.#joined.clear();
  }

  publish(channel: string, payload: unknown): Promise<void> {
    return this.#pubsub.publish(channel, payload);
  }

  #subscribe(channels: readonly string[]): void {
    const joined = this.#connection.subscriber.subscribe(...channels).then(
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

  #unsubscribe(channel: string): void {
    if (!this.#joined.delete(channel) || !this.#connection.hasSubscriber) return;
    // Where it fails the connection is gone, and so is the subscription.
    this.#connection.subscriber.unsubscribe(channel).catch(() => undefined);
  }

  /**
   * The subscriber as the library sees it: one that is always there. It would take a failed SUBSCRIBE for the end of the matter, and
   * leaves a failed UNSUBSCRIBE to the process as an unhandled rejection. When and on which connection channels are subscribed to
   * is up to {@link join}.
   */
  #harmless(subscriber: Redis): Redis {
    const replaced: Readonly<Record<string, unknown>> = {
      subscribe: (_channel: string, done: (error: null) => void) => done(null),
      unsubscribe: (channel: string) => this.#unsubscribe(channel),
      punsubscribe: () => undefined,
    };
    return new Proxy(subscriber, {
      get(target, name) {
        if (typeof name === "string" && name in replaced) return replaced[name];
        const value: unknown = Reflect.get(target, name, target);
        const bound: unknown = typeof value === "function" ? value.bind(target) : value;
        return bound;
      },
    });
  }
}
