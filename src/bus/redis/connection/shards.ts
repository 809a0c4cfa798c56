/**
 * The servers that events come from, and which topic lies on which: a plain server is the one shard of everything, a cluster has one
 * for each master. Each is listened to for itself, so that what befalls one harms only what lies on it.
 */
import type { Cluster } from "ioredis";
import type { Position } from "../../position.ts";
import type { RedisClients } from "./clients.ts";
import type { RedisKeys } from "../keys.ts";
import { RedisShard, type ShardEvents } from "./shard.ts";
import { slotOf, SLOTS } from "./slot.ts";
import { tickThroughNode, tickThroughServer } from "./tick.ts";

/** How long after a node has said that a slot is elsewhere the cluster is asked: more than one slot may be, and news travels. */
const REFRESH_DELAY_MS = 50;

/** Tags tried until one falls into a node's slots. A node with a single slot is missed once in 10 million times. */
const MAX_TAGS = 16 * SLOTS;

export interface ShardsEvents extends Omit<ShardEvents, "moved"> {
  /** Which server has what may be another than before. */
  changed(): void;
}

interface ShardsParts {
  readonly clients: RedisClients;
  readonly keys: RedisKeys;
  readonly instanceId: string;
  /** The greatest position that this process has seen. */
  readonly floor: () => Position;
}

export class RedisShards {
  readonly #parts: ShardsParts;
  /** Undefined where there is a plain server. */
  readonly #cluster: Cluster | undefined;
  /** By node; of a plain server by an empty name. */
  readonly #shards = new Map<string, RedisShard>();
  /** Of each slot. */
  #owners: readonly (RedisShard | undefined)[] = [];
  #events: ShardsEvents | undefined;
  #refresh: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: ShardsParts) {
    this.#parts = parts;
    const { commands } = parts.clients;
    this.#cluster = "nodes" in commands ? commands : undefined;
  }

  get isCluster(): boolean {
    return this.#cluster !== undefined;
  }

  /** Those that are known now; of a cluster none before it has been reached for the first time. */
  get all(): readonly RedisShard[] {
    return [...this.#shards.values()];
  }

  /** The server that a channel lies on. Undefined where none is known. */
  of(channel: string): RedisShard | undefined {
    return this.#cluster ? this.at(slotOf(channel)) : this.#shards.get("");
  }

  /** The same by what {@link slot} says of a channel. */
  at(slot: number): RedisShard | undefined {
    return this.#cluster ? this.#owners[slot] : this.#shards.get("");
  }

  slot(channel: string): number {
    return this.#cluster ? slotOf(channel) : 0;
  }

  /** Everything up to there was received from every verified shard. Undefined where none is verified. */
  get received(): Position | undefined {
    const received = this.all.flatMap((shard) => (shard.isVerified ? (shard.received ?? []) : []));
    return received.toSorted()[0];
  }

  start(events: ShardsEvents): void {
    this.#events = events;
    if (this.#cluster) this.#cluster.on("refresh", () => this.#update());
    else this.#add("");
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#refresh);
    for (const shard of this.all) shard.drop();
  }

  /** The cluster has been asked who has which slots. */
  #update(): void {
    if (!this.#cluster || this.#isClosed) return;
    const nodes = this.#cluster.slots.map((owners) => owners[0] ?? "");
    const masters = new Set(nodes.filter((node) => node !== ""));
    const gone = [...this.#shards].filter(([node]) => !masters.has(node));
    for (const [node] of gone) this.#shards.delete(node);
    const added = [...masters].filter((node) => !this.#shards.has(node)).map((node) => this.#add(node));
    this.#owners = nodes.map((node) => this.#shards.get(node));
    for (const [, shard] of gone) shard.drop();
    for (const shard of this.all) shard.release([...shard.channels].filter((channel) => this.of(channel) !== shard));
    for (const shard of added) shard.start();
    this.#events?.changed();
  }

  #add(node: string): RedisShard {
    const { clients, keys, instanceId, floor } = this.#parts;
    if (!this.#events) throw new Error("not started");
    const shard: RedisShard = new RedisShard({
      client: clients.listenTo(node),
      sendTick:
        "nodes" in clients.commands
          ? tickThroughNode(clients.commands, node)
          : tickThroughServer(clients.commands, keys, floor),
      tickChannel: () => (this.isCluster ? this.#tickChannelOn(shard) : keys.tick(instanceId)),
      events: { ...this.#events, opened: (opened) => this.#onOpened(opened), moved: () => this.#refreshSoon() },
    });
    this.#shards.set(node, shard);
    if (!this.isCluster) shard.start();
    return shard;
  }

  #onOpened(shard: RedisShard): void {
    this.#events?.opened(shard);
    // A node that was gone is there again; what it has now is not what it had.
    this.#refreshSoon();
  }

  #tickChannelOn(shard: RedisShard): string {
    const { keys, instanceId } = this.#parts;
    for (let tag = 0; tag < MAX_TAGS; tag++) {
      const channel = keys.tick(instanceId, tag);
      if (this.of(channel) === shard) return channel;
    }
    throw new Error("no channel lies on this node");
  }

  #refreshSoon(): void {
    if (this.#isClosed) return;
    this.#refresh ??= setTimeout(() => {
      this.#refresh = undefined;
      // Who fails it tries again within two seconds.
      this.#cluster?.refreshSlotsCache();
    }, REFRESH_DELAY_MS);
  }
}
