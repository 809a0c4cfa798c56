/** Channels of Redis, through graphql-redis-subscriptions. Nothing here fails unheard: the library is kept from what it cannot. */
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
   * `receive` is called with every payload of the channel, from when {@link join} has resolved, on this connection and on those after
   * it once they have joined. It must not throw.
   */
  async listen(channel: string, receive: (payload: unknown) => void): Promise<void> {
    this.#ids.set(channel, await this.#pubsub.subscribe(channel, receive));
  }

  /** Resolves when Redis has acknowledged all of them, each on the server that it lies on. Rejects where it has not. */
  async join(channels: readonly string[]): Promise<void> {
    const byShard = Map.groupBy(channels, (channel) => this.#connection.shards.of(channel));
    const joins = Array.from(byShard, ([shard, theirs]) => shard?.join(theirs) ?? Promise.reject(new BusUnavailable()));
    await Promise.all(joins);
  }

  /** Whether somebody listens to it. */
  has(channel: string): boolean {
    return this.#ids.has(channel);
  }

  /** Whether the server that it lies on can be both published to and listened to. */
  isUp(channel: string): boolean {
    return this.#connection.hasCommands && this.#connection.shards.of(channel)?.isConnected === true;
  }

  /** Nothing of this channel is received any more. */
  ignore(channel: string): void {
    const id = this.#ids.get(channel);
    this.#ids.delete(channel);
    if (id !== undefined) this.#pubsub.unsubscribe(id);
  }

  /** Something has come on that channel, over whichever connection. */
  receive(channel: string, message: string): void {
    this.#messages.emit("message", channel, message);
  }

  /** Through a plain server; in a cluster it would go to everybody who listens to whichever node in the ordinary way. */
  publish(channel: string, payload: unknown): Promise<void> {
    return this.#pubsub.publish(channel, payload);
  }

  /**
   * The subscriber as the library sees it: one that is always there, and that all channels come over, in whichever way a server
   * sends them. It would take a failed SUBSCRIBE for the end of the matter, and leaves a failed UNSUBSCRIBE to the process as an
   * unhandled rejection. When and on which connection channels are subscribed to is up to {@link join}.
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
