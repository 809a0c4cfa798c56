/** Whether Redis is there: what is sent to it is answered, or refused in bounded time. */
import type { Cluster, Redis } from "ioredis";
import { BusUnavailable } from "./bus.ts";
import { ANSWER_TIMEOUT_MS, type RedisClients } from "./redis-clients.ts";
import type { RedisKeys } from "./redis-keys.ts";
import { defineScript, runScript, type Script } from "./redis-script.ts";

/** How often it is looked whether Redis still answers, on either connection. */
const PROBE_MS = 1000;

/** After so long without an answer of one node a cluster's client is given up by us, whatever it still tries. */
const PATIENCE_MS = ANSWER_TIMEOUT_MS + 200;

/** What hears of the connections' fate. None may throw. */
export interface ConnectionEvents {
  /** Commands are taken. `isEmptied`: not by the Redis that was there before. */
  commandsReady(isEmptied: boolean): void;
  commandsLost(): void;
  /** Nothing is subscribed to on the new connection. */
  subscriberReady(): void;
  subscriberLost(): void;
  /** For a while now commands have been taken, and nothing has been heard. */
  deaf(): void;
  /** Both are there, for the first time or again. */
  connected(isEmptied: boolean): void;
}

// One step: the clock moves, and everybody who hears it knows that whatever was published before has been heard before.
const PROBE = defineScript(`
local _, id = logSince(KEYS[2], KEYS[1])
local position = toText(tick(KEYS[1], ARGV[2]))
redis.call('PUBLISH', ARGV[1], '{"position":"' .. position .. '"}')
return id
`);

const CLUSTER_PROBE = defineScript(`
return redis.call('PUBLISH', ARGV[1], '{"position":"' .. toText(nowMs(), 0) .. '"}')
`);

export class RedisConnection {
  readonly #clients: RedisClients;
  readonly #keys: RedisKeys;
  readonly #tickChannel: string;
  readonly #floor: () => string;
  #events: ConnectionEvents | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The processes of Redis that were met last. */
  #runIds: ReadonlySet<string> = new Set();
  #hasCommands = false;
  #hasSubscriber = false;
  /** Since the last time that both connections were there. */
  #isEmptied = false;
  #unheard = 0;
  #isClosed = false;
  outages = 0;

  /** @param floor the greatest position that this process has seen: the clock does not fall behind it, whatever Redis has lost. */
  constructor(clients: RedisClients, keys: RedisKeys, tickChannel: string, floor: () => string) {
    this.#clients = clients;
    this.#keys = keys;
    this.#tickChannel = tickChannel;
    this.#floor = floor;
  }

  get isCluster(): boolean {
    return this.#clients.isCluster;
  }

  get isConnected(): boolean {
    return this.#hasCommands && this.#hasSubscriber;
  }

  get hasCommands(): boolean {
    return this.#hasCommands;
  }

  get hasSubscriber(): boolean {
    return this.#hasSubscriber;
  }

  get subscriber(): Redis {
    return this.#clients.subscriber;
  }

  get publisher(): Redis | Cluster {
    return this.#clients.commands;
  }

  /** Begins to connect, and goes on for ever. */
  start(events: ConnectionEvents): void {
    this.#events = events;
    const { commands, subscriber } = this.#clients;
    commands.on("ready", () => void this.#introduce());
    commands.on("close", () => this.#loseCommands());
    subscriber.on("ready", () => this.#gainSubscriber());
    subscriber.on("close", () => this.#loseSubscriber());
    // Failures come as events too, and are followed by another attempt.
    for (const client of [commands, subscriber]) client.connect().catch(() => undefined);
    this.#timer = setInterval(() => void this.#probe(), PROBE_MS);
  }

  /**
   * Sends something. Rejects with {@link BusUnavailable} where Redis refuses, at once where it is known to be away, and within
   * little more than a second where it does not answer; then it may have been done nevertheless.
   */
  async run<T>(send: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (!this.#hasCommands) throw new BusUnavailable();
    try {
      return await withinTime(send(this.#clients.commands));
    } catch (error) {
      this.#suspect(error);
      throw new BusUnavailable(error);
    }
  }

  script(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.run((client) => runScript(client, script, keys, args));
  }

  /** The probe came back over the subscriber's connection. */
  heard(): void {
    this.#unheard = 0;
  }

  /** Says goodbye, or hangs up where nobody answers. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    const { commands, subscriber } = this.#clients;
    await Promise.all(
      [commands, subscriber].map(async (client) => {
        try {
          if (client.status === "ready") await withinTime(client.quit());
        } catch {
          // It is hung up on below.
        }
        client.disconnect();
      }),
    );
    this.#hasCommands = false;
    this.#hasSubscriber = false;
  }

  /** Learns whom it is talking to, before anybody else talks. */
  async #introduce(): Promise<void> {
    if (this.#isClosed || this.#hasCommands) return;
    try {
      const isEmptied = await this.#meet();
      if (this.#clients.commands.status !== "ready") return;
      // After a failover the one that is listened to may be the former master: silent, or going on as if nothing had been.
      if (isEmptied && !this.isCluster) this.#dropSubscriber();
      this.#hasCommands = true;
      this.#isEmptied ||= isEmptied;
      this.#events?.commandsReady(isEmptied);
      this.#joinBoth();
    } catch {
      // It takes connections but does not serve (it is loading, or read-only): another attempt, on a new one.
      this.#reconnect();
    }
  }

  /** Resolves to whether another process of Redis than before answers. */
  async #meet(): Promise<boolean> {
    const { commands } = this.#clients;
    const found = await withinTime("nodes" in commands ? this.#probeCluster(commands) : this.#probeServer(commands));
    const known = this.#runIds;
    // In a cluster one that did not answer this time has not been replaced for that; a single one has, and may be back some day.
    this.#runIds = new Set(this.isCluster ? [...known, ...found] : found);
    return known.size > 0 && found.some((id) => !known.has(id));
  }

  async #probeServer(client: Redis): Promise<readonly string[]> {
    const { clock, epoch } = this.#keys;
    return [String(await runScript(client, PROBE, [clock, epoch], [this.#tickChannel, this.#floor()]))];
  }

  /** A node that comes back empty does not take the connection with it, since the others are there: each is asked who it is. */
  async #probeCluster(cluster: Cluster): Promise<readonly string[]> {
    await runScript(cluster, CLUSTER_PROBE, [this.#keys.clock], [this.#tickChannel]);
    const infos = await Promise.allSettled(cluster.nodes("master").map((node) => node.info("server")));
    return infos.flatMap((info) => (info.status === "fulfilled" ? (/run_id:(\w+)/.exec(info.value)?.[1] ?? []) : []));
  }

  async #probe(): Promise<void> {
    if (!this.#hasCommands) return;
    // Two probes that went out and were not heard: the connection that listens is dead, however open it looks.
    if (this.#hasSubscriber && this.#unheard >= 2) {
      hangUp(this.#clients.subscriber);
      return;
    }
    this.#unheard++;
    if (!this.#hasSubscriber && this.#unheard >= 2) this.#events?.deaf();
    try {
      if (!(await this.#meet())) return;
    } catch (error) {
      this.#suspect(error);
      return;
    }
    // Behind an address that stayed, or in a cluster, one Redis took another's place: as if the connection had been lost.
    this.#loseCommands();
    this.#isEmptied = true;
    this.#hasCommands = true;
    hangUp(this.#clients.subscriber);
    this.#events?.commandsReady(true);
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

  /** What still comes over it does not count. */
  #dropSubscriber(): void {
    this.#loseSubscriber();
    hangUp(this.#clients.subscriber);
  }

  #gainSubscriber(): void {
    if (this.#isClosed) return;
    this.#hasSubscriber = true;
    this.#unheard = 0;
    this.#events?.subscriberReady();
    this.#joinBoth();
  }

  #joinBoth(): void {
    if (!this.isConnected) return;
    const isEmptied = this.#isEmptied;
    this.#isEmptied = false;
    this.#events?.connected(isEmptied);
  }

  #loseCommands(): void {
    if (!this.#hasCommands) return;
    this.#countOutage();
    this.#hasCommands = false;
    this.#events?.commandsLost();
  }

  #loseSubscriber(): void {
    if (!this.#hasSubscriber) return;
    this.#countOutage();
    this.#hasSubscriber = false;
    this.#unheard = 0;
    this.#events?.subscriberLost();
  }

  /** Both connections are one outage. */
  #countOutage(): void {
    if (this.isConnected && !this.#isClosed) this.outages++;
  }
}

/** Another connection is made. Where one is being made already, hanging up would end the library's attempts, while it asks a sentinel. */
function hangUp(client: Redis | Cluster): void {
  if (client.status !== "connecting") client.disconnect(true);
}

class Silence extends Error {
  override readonly name = "Silence";
}

async function withinTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silence("no answer in time")), PATIENCE_MS);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** No answer, as opposed to one that refuses; a replica's refusal counts, since its master is elsewhere. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && (error instanceof Silence || /^Command timed out|^READONLY/.test(error.message));
}
