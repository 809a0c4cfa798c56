/** Whether Redis is there: what is sent to it is answered, or refused in bounded time. */
import type { Cluster, Redis } from "ioredis";
import { BusUnavailable } from "../../bus.ts";
import type { Position } from "../../position.ts";
import { hangUp, type RedisClients } from "./clients.ts";
import type { RedisKeys } from "../keys.ts";
import { isSilence, withinTime } from "./patience.ts";
import { runScript, type Script } from "../script.ts";
import type { RedisShard } from "./shard.ts";
import { RedisShards, type ShardsEvents } from "./shards.ts";

/** How often it is looked whether Redis still answers, on each connection. */
const PROBE_MS = 1000;

/** What hears of the connections' fate. None may throw. */
export interface ConnectionEvents extends Pick<
  ShardsEvents,
  "listening" | "heard" | "deaf" | "received" | "lost" | "changed" | "garbage" | "failed"
> {
  /** Commands are taken. `isEmptied`: not by the Redis that was there before, or not by all of it. */
  commandsReady(isEmptied: boolean): void;
  commandsLost(): void;
  /** Commands are taken for what lies there. */
  serves(shard: RedisShard, isEmptied: boolean): void;
  /** Something is wrong with a server, or with the connection to it. */
  disturbed(): void;
  /** It serves and it stands, for the first time or again. */
  connected(shard: RedisShard): void;
}

export class RedisConnection {
  readonly shards: RedisShards;
  readonly #clients: RedisClients;
  #events: ConnectionEvents | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The processes of Redis that were met. */
  #runIds: ReadonlySet<string> = new Set();
  #hasCommands = false;
  #isClosed = false;
  outages = 0;

  /** @param floor the greatest position that this process has seen: the clock does not fall behind it, whatever Redis has lost. */
  constructor(clients: RedisClients, keys: RedisKeys, instanceId: string, floor: () => Position) {
    this.#clients = clients;
    this.shards = new RedisShards({ clients, keys, instanceId, floor });
  }

  get isCluster(): boolean {
    return this.shards.isCluster;
  }

  /** Whether commands are taken, and something can be both published and heard; in a cluster not necessarily everything. */
  get isConnected(): boolean {
    return this.#hasCommands && this.shards.all.some(({ isConnected }) => isConnected);
  }

  /** Whether that holds for all that is known of. */
  get isWhole(): boolean {
    return this.isConnected && this.shards.all.every(({ isConnected }) => isConnected);
  }

  get hasCommands(): boolean {
    return this.#hasCommands;
  }

  get commands(): Redis | Cluster {
    return this.#clients.commands;
  }

  /** Begins to connect, and goes on for ever. */
  start(events: ConnectionEvents): void {
    this.#events = events;
    const { commands } = this.#clients;
    commands.on("ready", () => void this.#introduce());
    commands.on("close", () => this.#loseCommands());
    this.shards.start({
      ...events,
      opened: (shard) => void this.#ask(shard),
      stands: (shard) => this.#noteConnected(shard),
      changed: () => {
        events.changed();
        // The library has forgotten its connection to a node that was gone, and has made another one now.
        for (const shard of this.shards.all) if (shard.isServing !== true) void this.#ask(shard);
      },
      closed: (shard) => {
        if (shard.isServing === true) this.#countOutage();
        events.disturbed();
        // Was it the connection alone? Nothing is sent to a server that is gone.
        void this.#ask(shard);
      },
    });
    // Failures come as events too, and are followed by another attempt.
    commands.connect().catch(() => undefined);
    this.#timer = setInterval(() => {
      for (const shard of this.shards.all) void this.#ask(shard, () => shard.probe());
    }, PROBE_MS);
  }

  /**
   * Sends something that is about a key. Rejects with {@link BusUnavailable} where Redis refuses, at once where the key's server is
   * known to be away, and within little more than a second where it does not answer; then it may have been done nevertheless.
   */
  async run<T>(key: string, send: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (!this.#hasCommands || this.shards.of(key)?.isServing === false) throw new BusUnavailable();
    try {
      return await withinTime(send(this.#clients.commands));
    } catch (error) {
      this.#suspect(error);
      throw new BusUnavailable(error);
    }
  }

  script(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.run(keys[0] ?? "", (client) => runScript(client, script, keys, args));
  }

  /** Says goodbye, or hangs up where nobody answers. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    const { commands } = this.#clients;
    await Promise.all([this.#quit(), this.shards.close()]);
    commands.disconnect();
    this.#hasCommands = false;
  }

  async #quit(): Promise<void> {
    const { commands } = this.#clients;
    try {
      if (commands.status === "ready") await withinTime(commands.quit());
    } catch {
      // It is hung up on.
    }
  }

  /** Learns whom it is talking to, before anybody else talks. */
  async #introduce(): Promise<void> {
    if (!this.#isNew()) return;
    const { all } = this.shards;
    const answers = await Promise.allSettled(all.map((shard) => shard.greet()));
    const serving = all.filter((_, index) => answers[index]?.status === "fulfilled");
    // That took a while.
    if (!this.#isNew()) return;
    // It takes connections but does not serve (it is loading, or read-only): another attempt, on a new one.
    if (serving.length === 0) return this.#reconnect();
    const isEmptied = this.#meet(answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : [])));
    // After a failover the one that is listened to may be the former master: silent, or going on as if nothing had been.
    if (isEmptied && !this.isCluster) for (const shard of serving) shard.abandon();
    this.#hasCommands = true;
    for (const shard of serving) this.#serve(shard, isEmptied);
    this.#events?.commandsReady(isEmptied);
  }

  /** Whether the commands' connection is open, and nobody knows yet. */
  #isNew(): boolean {
    return this.#clients.commands.status === "ready" && !this.#hasCommands && !this.#isClosed;
  }

  /**
   * Whether one of them is another process of Redis than those before. In a cluster one that did not answer this time has not been
   * replaced for that; a single one has, and may be back some day.
   */
  #meet(runIds: readonly string[]): boolean {
    const known = this.#runIds;
    this.#runIds = new Set(this.isCluster ? [...known, ...runIds] : runIds);
    return known.size > 0 && runIds.some((id) => !known.has(id));
  }

  /** Finds out whether the server takes commands, and whether it is the one that it was. */
  async #ask(shard: RedisShard, ask = (): Promise<string> => shard.greet()): Promise<void> {
    if (!this.#hasCommands || this.#isClosed) return;
    let runId: string;
    try {
      runId = await ask();
    } catch (error) {
      this.#events?.failed(error);
      if (this.isCluster) this.#withdraw(shard);
      else this.#suspect(error);
      return;
    }
    if (!this.hasCommands) return;
    const isEmptied = this.#meet([runId]);
    if (isEmptied) {
      // Behind an address that stayed, or in a cluster, one Redis took another's place: as if the connection had been lost.
      this.#withdraw(shard);
      if (shard.isStanding) shard.abandon();
    }
    this.#serve(shard, isEmptied);
    if (isEmptied) this.#events?.commandsReady(true);
  }

  #serve(shard: RedisShard, isEmptied: boolean): void {
    if (shard.isServing === true) return;
    shard.isServing = true;
    this.#events?.serves(shard, isEmptied);
    if (shard.isStanding) this.#noteConnected(shard);
  }

  #withdraw(shard: RedisShard): void {
    if (shard.isServing === false) return;
    if (shard.isConnected) this.#countOutage();
    shard.isServing = false;
    this.#events?.disturbed();
  }

  #noteConnected(shard: RedisShard): void {
    if (shard.isConnected && this.#hasCommands) this.#events?.connected(shard);
  }

  /** Hangs up on a server that has fallen silent. In a cluster it is one of many, and the library looks after the nodes. */
  #suspect(error: unknown): void {
    if (!isSilence(error) || this.isCluster || !this.#hasCommands) return;
    // Known from now on, not from when the connection has been given up on.
    this.#loseCommands();
    this.#reconnect();
  }

  #reconnect(): void {
    if (!this.#isClosed) hangUp(this.#clients.commands);
  }

  #loseCommands(): void {
    if (!this.#hasCommands) return;
    if (this.isConnected) this.#countOutage();
    this.#hasCommands = false;
    for (const shard of this.shards.all) shard.isServing = false;
    this.#events?.commandsLost();
  }

  /** What befalls several connections to one server at once is one outage. */
  #countOutage(): void {
    if (!this.#isClosed) this.outages++;
  }
}
