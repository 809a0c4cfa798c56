/** Channels of Redis, through graphql-redis-subscriptions, which is never given anything to do that can fail. */
import { EventEmitter } from "node:events";
import { RedisPubSub } from "graphql-redis-subscriptions";
import type { Cluster, Redis } from "ioredis";
import { BusUnavailable } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";

export class RedisChannels {
  readonly #connection: RedisConnection;
  readonly #messages = new EventEmitter();
  readonly #pubsub: RedisPubSub;
  readonly #ids = new Map<string, number>();

  constructor(connection: RedisConnection) {
    this.#connection = connection;
    this.#pubsub = new RedisPubSub({
      publisher: connection.commands,
      subscriber: this.#harmless(connection.commands),
    });
  }

  /**
   * `receive` is called with every payload of the channel once {@link join} has resolved, on whichever connection. It must not throw.
   */
  async listen(channel: string, receive: (payload: unknown) => void): Promise<void> {
    this.#ids.set(channel, await this.#pubsub.subscribe(channel, receive));
  }

  /** Subscribes to channels, each on the server that it lies on. Rejects where a server has not acknowledged one. */
  async join(channels: readonly string[]): Promise<void> {
    const byShard = Map.groupBy(channels, (channel) => this.#connection.shards.of(channel));
    const joins = Array.from(byShard, ([shard, theirs]) => shard?.join(theirs) ?? Promise.reject(new BusUnavailable()));
    await Promise.all(joins);
  }

  /** Whether somebody listens to it. */
  has(channel: string): boolean {
    return this.#ids.has(channel);
  }

  /** Whether the channel's server takes commands and events are received from it. */
  isUp(channel: string): boolean {
    return this.#connection.hasCommands && this.#connection.shards.of(channel)?.isConnected === true;
  }

  /** Nothing of this channel is received any more. */
  ignore(channel: string): void {
    const id = this.#ids.get(channel);
    this.#ids.delete(channel);
    if (id !== undefined) this.#pubsub.unsubscribe(id);
  }

  /** A message arrived on that channel, over whichever connection. */
  receive(channel: string, message: string): void {
    this.#messages.emit("message", channel, message);
  }

  /**
   * The subscriber as the library sees it: always connected. The library does not repeat a failed SUBSCRIBE, and a failed UNSUBSCRIBE
   * of it is an unhandled rejection. {@link join} decides when, and on which connection, channels are subscribed to.
   */
  #harmless(client: Redis | Cluster): Redis | Cluster {
    const replaced: Readonly<Record<string, unknown>> = {
      on: (name: string, listener: (...args: unknown[]) => void) => this.#messages.on(name, listener),
      subscribe: (_channel: string, done: (error: null) => void) => done(null),
      unsubscribe: (channel: string) => this.#connection.shards.of(channel)?.leave(channel),
      punsubscribe: () => undefined,
    };
    return new Proxy(client, {
      get(target, name) {
        if (typeof name === "string" && name in replaced) return replaced[name];
        const value: unknown = Reflect.get(target, name, target);
        const bound: unknown = typeof value === "function" ? value.bind(target) : value;
        return bound;
      },
    });
  }
}
