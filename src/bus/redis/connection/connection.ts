/** The connection to Redis: what is sent to it is answered, or refused in bounded time where that is asked for. */
import type { Cluster, Redis } from "ioredis";
import { boundedWait } from "../../../bounded.ts";
import { Durations } from "../../../measures.ts";
import { BusUnavailable, COMMAND_BOUNDS } from "../../bus.ts";
import type { Position } from "../../position.ts";
import type { RedisKeys } from "../keys.ts";
import { runScript, type Script } from "../script.ts";
import { hangUp, type RedisClients } from "./clients.ts";
import type { RedisShard } from "./shard.ts";
import { RedisShards, type ShardsEvents } from "./shards.ts";

/** How often each server is sent a tick. */
const PROBE_MS = 1000;

/** How long a caller waits for a shared value. Nothing else follows from a slow answer: slow is not disconnected. */
const ANSWER_TIMEOUT_MS = 2000;

/** The same where what is done without the value may be done twice. */
const PATIENT_TIMEOUT_MS = 5000;

const SILENCE = Symbol("no answer in time");

/** What is notified of the connection's state. None may throw. */
export interface ConnectionEvents extends Pick<
  ShardsEvents,
  "listening" | "ticked" | "received" | "lost" | "changed" | "undecodable" | "failed"
> {
  commandsReady(): void;
  commandsLost(): void;
  /**
   * A server takes commands, for the first time or again. Called before `commandsReady`. `emptied`: it is that process of Redis, another
   * one than before, which may lack what that had.
   */
  serves(shard: RedisShard, emptied: string | undefined): void;
  /** A server, or the connection to it, was lost. */
  disturbed(): void;
  /** A server takes commands and events are received from it, for the first time or again. */
  connected(shard: RedisShard): void;
  /** Called once a second while commands are taken. */
  probed(): void;
  /** A process of Redis was met, perhaps not for the first time. `isFirst`: no other one was met before. */
  met(runId: string, isFirst: boolean): void;
  /** A server answered a tick. `refusal`: why it refuses to write, where it does. */
  answered(refusal: Error | undefined): void;
}

export class RedisConnection {
  readonly shards: RedisShards;
  readonly #clients: RedisClients;
  #events: ConnectionEvents | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The processes of Redis that were met. */
  #runIds: ReadonlySet<string> = new Set();
  #hasCommands = false;
  #isIdentifying = false;
  #isClosed = false;
  outages = 0;
  /** How long answers took. */
  readonly durations = new Durations(COMMAND_BOUNDS);

  /** @param floor the greatest position that this process has met: the clock does not fall behind it, whatever Redis has lost. */
  constructor(clients: RedisClients, keys: RedisKeys, instanceId: string, floor: () => Position) {
    this.#clients = clients;
    this.shards = new RedisShards({ clients, keys, instanceId, floor });
  }

  get isCluster(): boolean {
    return this.shards.isCluster;
  }

  /** Whether commands are taken and events are received, from one server at least. */
  get isConnected(): boolean {
    return this.#hasCommands && this.shards.all.some(({ isConnected }) => isConnected);
  }

  /** Whether that holds for all servers that are known. */
  get isWhole(): boolean {
    return this.isConnected && this.shards.all.every(({ isConnected }) => isConnected);
  }

  /** Whether no server has been silent for long. For what is reported alone: silence changes nothing that is delivered. */
  get isResponsive(): boolean {
    return this.shards.all.some(({ isConnected, isUnresponsive }) => isConnected && !isUnresponsive);
  }

  get hasCommands(): boolean {
    return this.#hasCommands;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get commands(): Redis | Cluster {
    return this.#clients.commands;
  }

  /** Begins to connect, and tries for ever. */
  start(events: ConnectionEvents): void {
    this.#events = events;
    const { commands } = this.#clients;
    commands.on("ready", () => void this.#identifyAll());
    commands.on("close", () => this.#loseCommands());
    this.shards.start({
      ...events,
      opened: (shard) => void this.#ask(shard),
      verified: (shard) => this.#noteConnected(shard),
      changed: () => {
        events.changed();
        // The library has forgotten its connection to a node that was gone, and has made another one now.
        for (const shard of this.shards.all) if (shard.isServing !== true) void this.#ask(shard);
      },
      closed: (shard) => {
        if (shard.isServing === true) this.#countOutage();
        events.disturbed();
        // The server may be gone, or the listening connection alone.
        void this.#ask(shard);
      },
    });
    // Failures come as events too, and are followed by another attempt.
    commands.connect().catch(() => undefined);
    const probe = (): void => this.#probe();
    this.#timer = setInterval(probe, PROBE_MS);
  }

  /** Sends something about a key, however long the answer takes. Rejects as Redis refuses, or with BusUnavailable. */
  async execute<T>(key: string, send: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (!this.#hasCommands || (!this.isCluster && this.shards.of(key)?.isServing === false)) throw new BusUnavailable();
    const sentAt = performance.now();
    const answer = await send(this.#clients.commands);
    this.durations.observeSince(sentAt);
    return answer;
  }

  /**
   * Sends something about a key. Rejects with {@link BusUnavailable} where Redis refuses, at once where the key's server is disconnected
   * or has been silent for some seconds, and in bounded time where it does not answer; it may be done nevertheless then.
   *
   * @param isPatient waits longer, for a silent server too.
   */
  async run<T>(key: string, send: (client: Redis | Cluster) => Promise<T>, isPatient = false): Promise<T> {
    const shard = this.shards.of(key);
    if (shard?.isServing === false || (shard?.isUnresponsive && !isPatient)) throw new BusUnavailable();
    const ms = isPatient ? PATIENT_TIMEOUT_MS : ANSWER_TIMEOUT_MS;
    let answer: T | typeof SILENCE;
    try {
      answer = await boundedWait(ms, this.execute(key, send), SILENCE);
    } catch (error) {
      throw error instanceof BusUnavailable ? error : new BusUnavailable(error);
    }
    if (answer === SILENCE) throw new BusUnavailable(new Error("no answer in time"));
    return answer;
  }

  script(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.run(keys[0] ?? "", (client) => runScript(client, script, keys, args));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#clients.close();
    this.shards.close();
    this.#clients.commands.disconnect();
    this.#hasCommands = false;
  }

  #probe(): void {
    if (!this.#hasCommands) return void this.#identifyAll();
    for (const shard of this.shards.all) {
      if (!this.isCluster && shard.isDead) this.#reconnect();
      void this.#ask(shard, () => shard.probe());
    }
    this.#events?.probed();
  }

  /** Learns which processes of Redis these are, before anything else is sent. In a Cluster the first that answers is enough. */
  async #identifyAll(): Promise<void> {
    if (this.#isIdentifying || !this.#isNew()) return;
    this.#isIdentifying = true;
    const isFirst = this.#runIds.size === 0;
    const pending = this.shards.all.map((shard) => ({ shard, answer: shard.identify() }));
    const first = await Promise.any(pending.map(async (one) => ({ ...one, runId: await one.answer }))).catch(
      () => undefined,
    );
    this.#isIdentifying = false;
    // That took a while.
    if (!this.#isNew()) return;
    if (!first) {
      // The next probe tries again.
      for (const { answer } of pending) answer.catch((error: unknown) => this.#onFailure(error));
      return;
    }
    const { shard, runId } = first;
    const isEmptied = this.#recordRunId(shard, runId, isFirst);
    // After a failover the listening connection may be to the former master, which is silent, or goes on as if nothing had happened.
    if (isEmptied && !this.isCluster) shard.abandon();
    this.#hasCommands = true;
    this.#events?.answered(shard.refusal);
    this.#serve(shard, isEmptied ? runId : undefined);
    this.#events?.commandsReady();
    for (const other of pending) if (other.shard !== shard) void this.#ask(other.shard, () => other.answer, isFirst);
  }

  /** Whether the commands' connection is open, and nobody knows yet. */
  #isNew(): boolean {
    return this.#clients.commands.status === "ready" && !this.#hasCommands && !this.#isClosed;
  }

  /**
   * Whether it is another process of Redis than those before. A node of a Cluster that did not answer was not replaced for that; a single
   * server was, and may come back.
   */
  #recordRunId(shard: RedisShard, runId: string, isFirst: boolean): boolean {
    const known = this.#runIds;
    shard.runId = runId;
    this.#events?.met(runId, isFirst);
    this.#runIds = new Set(this.isCluster ? [...known, runId] : [runId]);
    return !isFirst && !known.has(runId);
  }

  /**
   * Finds out whether the server takes commands, and whether it is the process that it was.
   *
   * @param isFirst it is one of those that were there when none was known.
   */
  async #ask(
    shard: RedisShard,
    ask = (): Promise<string | undefined> => shard.identify(),
    isFirst = false,
  ): Promise<void> {
    if (!this.#hasCommands || this.#isClosed) return;
    let runId: string | undefined;
    try {
      runId = await ask();
    } catch (error) {
      this.#onFailure(error);
      // In a Cluster the others go on without the node.
      if (this.isCluster) this.#withdraw(shard);
      else if (isReply(error)) this.#events?.answered(error);
      return;
    }
    if (runId === undefined || !this.hasCommands) return;
    this.#events?.answered(shard.refusal);
    const isEmptied = this.#recordRunId(shard, runId, isFirst || this.#runIds.size === 0);
    if (isEmptied) {
      // Behind an address that stayed, or in a Cluster, one process took another's place: as if the connection had been lost.
      this.#withdraw(shard);
      if (shard.isVerified) shard.abandon();
    }
    this.#serve(shard, isEmptied ? runId : undefined);
    if (isEmptied) this.#events?.commandsReady();
  }

  /** A replica refuses to write, and stays one: its master is reached by another connection. */
  #onFailure(error: unknown): void {
    this.#events?.failed(error);
    if (!this.isCluster && error instanceof Error && error.message.startsWith("READONLY")) this.#reconnect();
  }

  #serve(shard: RedisShard, emptied: string | undefined): void {
    if (shard.isServing === true) return;
    shard.isServing = true;
    this.#events?.serves(shard, emptied);
    if (shard.isVerified) this.#noteConnected(shard);
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

  #reconnect(): void {
    if (this.#isClosed) return;
    this.#loseCommands();
    hangUp(this.#clients.commands);
  }

  #loseCommands(): void {
    if (!this.#hasCommands) return;
    if (this.isConnected) this.#countOutage();
    this.#hasCommands = false;
    for (const shard of this.shards.all) shard.isServing = false;
    this.#events?.commandsLost();
  }

  /** Several connections to one server that are lost at once are one outage. */
  #countOutage(): void {
    if (!this.#isClosed) this.outages++;
  }
}

/** Whether Redis answered, if only with a refusal. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
