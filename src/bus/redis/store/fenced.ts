/** Values with a fencing token in Redis: each is a hash that expires, and a tombstone that outlives it. */
import { boundedWait } from "../../../bounded.ts";
import { BusUnavailable, type FencedState, type TakenValue } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import type { Restoration } from "../restoration.ts";
import { loadBareScript, loadScript, toList } from "../script.ts";
import { parse, wholeMs } from "./state.ts";

const TAKE = loadScript(import.meta.url, "fenced-take.lua");
/** How long it waits for what instances put again. */
const TAKE_PATIENCE_MS = 500;
/** What a script answers where the process of Redis is not known to have everything. */
const NOT_KNOWN = -1;
const PUT = loadBareScript(import.meta.url, "fenced-put.lua");
const PUT_FIRST = loadScript(import.meta.url, "fenced-first.lua");
const RESTORE = loadBareScript(import.meta.url, "fenced-restore.lua");
const DROP = loadBareScript(import.meta.url, "fenced-drop.lua");

/** How long a value that may wait is collected with others: a command for each would cost Redis and this process several times as much. */
const COLLECTING_MS = 50;

/** How often a tombstone is written again at most in the time for which it lives. */
const TOMBSTONE_TURNS = 24;

/** Values that one script sets at most: Redis does nothing else meanwhile. */
const PUT_AT_ONCE = 100;

const always = (): boolean => true;

/** A value that waits to be put. */
interface Waiting {
  readonly keys: readonly [string, string];
  readonly args: readonly (string | number)[];
  readonly isSet: PromiseWithResolvers<boolean>;
}

export class RedisFencedState implements FencedState {
  readonly #connection: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #restoration: Restoration;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: RedisConnection, keys: RedisKeys, restoration: Restoration) {
    this.#connection = connection;
    this.#keys = keys;
    this.#restoration = restoration;
  }

  async take(
    key: string,
    owner: string,
    initial: unknown,
    ttlMs: number,
    tombstoneMs: number,
    isWanted = always,
  ): Promise<TakenValue> {
    const restoration = this.#restoration;
    // Taken over earlier, the key would belong to somebody who has no value, and could not be put again any more.
    await boundedWait(TAKE_PATIENCE_MS, restoration.restored(), undefined);
    if (!restoration.isRestored || !isWanted()) throw new BusUnavailable();
    const value = initial === undefined ? "" : JSON.stringify(initial);
    const args = [owner, wholeMs(ttlMs), wholeMs(tombstoneMs), value, ...restoration.restoredEpochs];
    this.#flush();
    const [status, text] = toList(await this.#connection.script(TAKE, this.#namesOf(key), args));
    if (status === NOT_KNOWN) {
      restoration.met(String(text), false);
      throw new BusUnavailable();
    }
    if (typeof text === "string") return { status: "found", value: parse(text) };
    return { status: status === 1 ? "expired" : "none" };
  }

  put(
    key: string,
    owner: string,
    value: unknown,
    ttlMs: number,
    tombstoneMs: number,
    mayWait = false,
  ): Promise<boolean> {
    // Not written with each value, it lives longer by the turn in which it is not.
    const turnMs = Math.ceil(tombstoneMs / TOMBSTONE_TURNS);
    const turn = Math.floor(performance.now() / turnMs);
    const args = [owner, wholeMs(ttlMs), JSON.stringify(value), wholeMs(tombstoneMs + turnMs), turn];
    const isSet = Promise.withResolvers<boolean>();
    this.#waiting.push({ keys: this.#namesOf(key), args, isSet });
    if (!mayWait) this.#flush();
    else this.#timer ??= setTimeout(this.#onCollected, COLLECTING_MS);
    return isSet.promise;
  }

  async putFirst(key: string, owner: string, value: unknown, ttlMs: number, tombstoneMs: number): Promise<boolean> {
    const { isRestored, restoredEpochs } = this.#restoration;
    // What is put again now may be its client's.
    if (!isRestored) throw new BusUnavailable();
    const args = [owner, wholeMs(ttlMs), JSON.stringify(value), wholeMs(tombstoneMs), ...restoredEpochs];
    this.#flush();
    const [isSet, epoch] = toList(await this.#connection.script(PUT_FIRST, this.#namesOf(key), args));
    if (isSet !== NOT_KNOWN) return isSet === 1;
    this.#restoration.met(String(epoch), false);
    throw new BusUnavailable();
  }

  async restore(
    key: string,
    owner: string,
    takenAt: string,
    value: unknown,
    ttlMs: number,
    tombstoneMs: number,
  ): Promise<boolean> {
    const args = [owner, takenAt, wholeMs(ttlMs), JSON.stringify(value), wholeMs(tombstoneMs)];
    this.#flush();
    return (await this.#connection.script(RESTORE, this.#namesOf(key), args)) === 1;
  }

  async drop(key: string, owner: string): Promise<void> {
    this.#flush();
    await this.#connection.script(DROP, this.#namesOf(key), [owner]);
  }

  /** Sends what waits. Called before anything else is sent, so that the order of the calls is that of their effects. */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    // In a Cluster each value has a slot of its own.
    const atOnce = this.#connection.isCluster ? 1 : PUT_AT_ONCE;
    for (let start = 0; start < waiting.length; start += atOnce) void this.#put(waiting.slice(start, start + atOnce));
  }

  readonly #onCollected = (): void => this.#flush();

  async #put(values: readonly Waiting[]): Promise<void> {
    const names = values.flatMap(({ keys }) => keys);
    const args = values.flatMap((value) => value.args);
    try {
      const answers = toList(await this.#connection.script(PUT, names, args));
      for (const [index, { isSet }] of values.entries()) isSet.resolve(answers[index] === 1);
    } catch (error) {
      for (const { isSet } of values) isSet.reject(error);
    }
  }

  #namesOf(key: string): [string, string] {
    return [this.#keys.fenced(key), this.#keys.tombstone(key)];
  }
}
