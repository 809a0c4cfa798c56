/** That this instance lives, and which others do not: the leases of those are ended by whoever finds them dead first. */
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { toList } from "../script.ts";
import { HEARTBEAT, RESIGN } from "./scripts.ts";
import type { RedisPresence } from "./presence.ts";

/**
 * Of the time within which the users of a dead instance are offline: it goes unheard for three fifths, of which it may have missed
 * two beats and still live; it is found dead a beat later; and what is left is for looking after its users.
 */
const BEATS = 6;
const DEAD_AFTER = 0.6;
/** Who has found one dead, and has not finished after this, is dead too. */
const BURIED_AFTER = 0.3;

/** Users of a dead instance that are looked after at a time. */
const PAGE = 500;

/** After the grace has passed, how long whoever waits for its end is given to end it. */
const RESIGNED_MARGIN_MS = 1000;

interface HeartbeatParts {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly presence: RedisPresence;
  readonly instanceId: string;
  readonly ttlMs: number;
  readonly graceMs: number;
}

export class RedisHeartbeat {
  readonly #parts: HeartbeatParts;
  #name: string;
  #names = 0;
  #isNew = true;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  /** On this process's clock: since when every other instance has been able to be heard of. */
  #hearsSince = Infinity;
  #isClosed = false;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#name = parts.instanceId;
  }

  /**
   * Redis is there, or there again. While it was away nobody could be heard of: the others are given the time to come back that a
   * dead one is given anyway.
   */
  resume(isEmptied: boolean): void {
    this.#hearsSince = performance.now();
    if (isEmptied) {
      this.#parts.presence.emptied();
      this.#rename();
    }
    this.#beat();
  }

  lost(): void {
    this.#hearsSince = Infinity;
  }

  /** This instance counts as dead from when the graces of its last users have passed: another then puts offline who has not come back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#beating;
    const { connection, graceMs } = this.#parts;
    const args = [this.#name, Math.ceil(graceMs) + RESIGNED_MARGIN_MS, this.#deadAfterMs()];
    // Where Redis is away it counts as dead as it is.
    await connection.script(RESIGN, this.#instanceKeys(), args).catch(() => undefined);
  }

  #beat(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#beating ??= this.#beatNow()
      // Redis is away: resume() comes when it is back, and the next beat in any case.
      .catch(() => undefined)
      .finally(() => {
        this.#beating = undefined;
        if (!this.#isClosed) this.#timer = setTimeout(() => this.#beat(), this.#untilNextMs());
      });
  }

  async #beatNow(): Promise<void> {
    const { connection, presence } = this.#parts;
    const isHearing = performance.now() - this.#hearsSince >= this.#deadAfterMs();
    // In a cluster what users hold may be within reach, though who lives cannot be told.
    const [announced] = await Promise.allSettled([this.#announce(isHearing)]);
    await presence.reconcile();
    if (announced.status === "rejected") {
      this.lost();
      return;
    }
    if (this.#hearsSince === Infinity) this.#hearsSince = performance.now();
    const dead = announced.value;
    for (const [name, heardOfMs] of dead) {
      if (connection.hasCommands) await this.#bury(name, heardOfMs);
    }
  }

  /** Resolves to those that are to be looked after here. */
  async #announce(isHearing: boolean): Promise<readonly (readonly [name: string, heardOfMs: number])[]> {
    const deadAfterMs = isHearing ? this.#deadAfterMs() : 0;
    const buriedAfterMs = Math.ceil(this.#parts.ttlMs * BURIED_AFTER);
    const args = [this.#name, this.#isNew ? 1 : 0, deadAfterMs, buriedAfterMs];
    const answer = await this.#parts.connection.script(HEARTBEAT, this.#instanceKeys(), args);
    const [isRegistered, ...found] = toList(answer);
    if (isRegistered !== 1) {
      // Taken for dead: its leases are being ended under this name, and are entered again under another.
      this.#rename();
      return this.#announce(false);
    }
    this.#isNew = false;
    return Array.from({ length: found.length / 2 }, (_, index) => [
      String(found[2 * index]),
      Number(found[2 * index + 1]),
    ]);
  }

  async #bury(name: string, heardOfMs: number): Promise<void> {
    const { connection, keys, presence } = this.#parts;
    const set = keys.usersOf(name);
    let cursor = "0";
    do {
      const [next, userIds] = await connection.run(set, (client) => client.sscan(set, cursor, "COUNT", PAGE));
      cursor = next;
      await presence.bury(name, userIds, heardOfMs);
    } while (cursor !== "0");
    await connection.run(set, (client) => client.del(set));
    await connection.run(keys.sweeps, (client) => client.zrem(keys.sweeps, name));
  }

  #rename(): void {
    this.#name = `${this.#parts.instanceId}.${++this.#names}`;
    this.#isNew = true;
    this.#parts.presence.rename(this.#name);
  }

  #instanceKeys(): string[] {
    const { instances, sweeps } = this.#parts.keys;
    return [instances, sweeps];
  }

  #deadAfterMs(): number {
    return Math.ceil(this.#parts.ttlMs * DEAD_AFTER);
  }

  /** A little apart from the others', who may have come up at the same time. */
  #untilNextMs(): number {
    return Math.min((this.#parts.ttlMs / BEATS) * (0.9 + Math.random() / 10), this.#parts.presence.dueMs);
  }
}
