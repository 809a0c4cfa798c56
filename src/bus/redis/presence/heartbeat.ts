/** The heartbeat of this instance, and the release of the leases of instances that have none any more. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { toList } from "../script.ts";
import { HEARTBEAT, RESIGN } from "./scripts.ts";
import type { Restoration } from "../restoration.ts";
import type { RedisPresence } from "./presence.ts";

/**
 * Parts of the time within which the users of a dead instance are offline: after three fifths without a heartbeat an instance is dead,
 * so that a living one may miss two; it is found dead one heartbeat later; the rest is for releasing its users.
 */
const BEATS = 6;
const DEAD_AFTER = 0.6;
/** An instance that releases another and has not finished after this is dead too. */
const RELEASED_AFTER = 0.3;

/** Users of a dead instance that are released at a time. */
const PAGE = 500;

/** Before another attempt to write the leases that Redis has lost. */
const RETRY_MS = 500;

/** How long after the grace its owner may still end it. */
const RESIGNED_MARGIN_MS = 1000;

interface HeartbeatParts {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly presence: RedisPresence;
  readonly restoration: Pick<Restoration, "isRestored">;
  readonly instanceId: string;
  readonly ttlMs: number;
  readonly graceMs: number;
}

export class RedisHeartbeat {
  readonly #parts: HeartbeatParts;
  #name: string;
  #names = 0;
  /** Names that this instance had before. What it sent under them may have been executed after others ended their leases. */
  readonly #formerNames = new Set<string>();
  #isNew = true;
  /** Losses of memory after which it is not known yet whether the others still take this instance's users for online. */
  #undecided = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  /** On this process's clock: since when the heartbeats of all other instances can arrive. */
  #watchesSince = Infinity;
  #peers: ReadonlySet<string> = new Set();
  #isClosed = false;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#name = parts.instanceId;
  }

  /**
   * Redis is connected. While it was disconnected no heartbeat could arrive: the others are given the time to come back that a dead one
   * is given anyway.
   */
  resume(): void {
    this.#watchesSince = performance.now();
    this.#beat();
  }

  /** Redis has lost its memory. Resolves when it has this instance's leases of those again whom others know to be online. */
  async emptied(onProgress: () => void, isLate: Promise<boolean>): Promise<void> {
    const { presence } = this.#parts;
    this.#rename();
    this.#undecided++;
    let before = presence.unwritten;
    const look = (): void => {
      if (presence.unwritten < before) onProgress();
      before = presence.unwritten;
    };
    const timer = setInterval(look, RETRY_MS).unref();
    if (await isLate) presence.disbelieve();
    this.#undecided--;
    for (;;) {
      await this.#beatOnceMore();
      if (presence.unwritten === 0 || this.#isClosed) break;
      await sleep(RETRY_MS, undefined, { ref: false });
    }
    clearInterval(timer);
  }

  /** All instances have written their leases: what was put off until then is done. */
  restored(): void {
    void this.#beatOnceMore();
  }

  /** The ids of all instances that were there lately, this one's too. */
  get peers(): Iterable<string> {
    return this.#peers;
  }

  lost(): void {
    this.#watchesSince = Infinity;
  }

  /** This instance counts as dead when the graces of its last users have passed: another instance puts those offline who are not back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#beating;
    const { connection, keys, presence, instanceId, graceMs } = this.#parts;
    // Where Redis is unreachable nothing can be left to others.
    await presence.close().catch(() => undefined);
    const args = [this.#name, Math.ceil(graceMs) + RESIGNED_MARGIN_MS, this.#deadAfterMs(), instanceId];
    // Where Redis is unreachable it counts as dead as it is.
    await connection.script(RESIGN, [keys.instances, keys.living], args).catch(() => undefined);
  }

  async #beatOnceMore(): Promise<void> {
    await this.#beating;
    this.#beat();
    await this.#beating;
  }

  #beat(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#beating ??= this.#beatNow()
      // Redis is unreachable: resume() is called when it is back, and the next beat comes in any case.
      .catch(() => undefined)
      .finally(() => {
        this.#beating = undefined;
        if (!this.#isClosed) this.#timer = setTimeout(() => this.#beat(), this.#untilNextMs());
      });
  }

  async #beatNow(): Promise<void> {
    const { connection, presence } = this.#parts;
    const isWatching = performance.now() - this.#watchesSince >= this.#deadAfterMs();
    // In a Cluster users' leases may be reachable although the heartbeats are not.
    const [announced] = await Promise.allSettled([this.#announce(isWatching)]);
    if (this.#undecided === 0) await presence.reconcile();
    if (announced.status === "rejected") {
      this.lost();
      return;
    }
    if (this.#watchesSince === Infinity) this.#watchesSince = performance.now();
    const dead = announced.value;
    for (const [name, lastBeatMs] of dead) {
      if (connection.hasCommands) await this.#release(name, lastBeatMs);
    }
    for (const name of this.#formerNames) {
      await this.#release(name, Date.now());
      this.#formerNames.delete(name);
    }
  }

  /** Resolves to the instances that this one has to release. */
  async #announce(isWatching: boolean): Promise<readonly (readonly [name: string, lastBeatMs: number])[]> {
    const deadAfterMs = isWatching ? this.#deadAfterMs() : 0;
    const releasedAfterMs = Math.ceil(this.#parts.ttlMs * RELEASED_AFTER);
    const { connection, keys, instanceId, restoration } = this.#parts;
    const args = [this.#name, this.#isNew ? 1 : 0, deadAfterMs, releasedAfterMs, instanceId];
    const answer = await connection.script(HEARTBEAT, [keys.instances, keys.sweeps, keys.living], args);
    const [isRegistered, living, released] = toList(answer);
    const found = toList(released);
    // Some may not have come to this Redis yet.
    this.#peers = new Set([...(restoration.isRestored ? [] : this.#peers), ...toList(living).map(String)]);
    if (isRegistered !== 1) {
      // It counted as dead: its leases are being released under this name, and are written again under another.
      this.#rename();
      return this.#announce(false);
    }
    this.#isNew = false;
    return Array.from({ length: found.length / 2 }, (_, index) => [
      String(found[2 * index]),
      Number(found[2 * index + 1]),
    ]);
  }

  async #release(name: string, lastBeatMs: number): Promise<void> {
    const { connection, keys, presence } = this.#parts;
    const set = keys.usersOf(name);
    let cursor = "0";
    do {
      const [next, userIds] = await connection.run(set, (client) => client.sscan(set, cursor, "COUNT", PAGE));
      cursor = next;
      await presence.release(name, userIds, lastBeatMs);
    } while (cursor !== "0");
    await connection.run(set, (client) => client.del(set));
    await connection.run(keys.sweeps, (client) => client.zrem(keys.sweeps, name));
  }

  #rename(): void {
    this.#formerNames.add(this.#name);
    this.#name = `${this.#parts.instanceId}.${++this.#names}`;
    this.#isNew = true;
    this.#parts.presence.rename(this.#name);
  }

  #deadAfterMs(): number {
    return Math.ceil(this.#parts.ttlMs * DEAD_AFTER);
  }

  /** With jitter: other instances may have started at the same time. */
  #untilNextMs(): number {
    return Math.min((this.#parts.ttlMs / BEATS) * (0.9 + Math.random() / 10), this.#parts.presence.dueMs);
  }
}
