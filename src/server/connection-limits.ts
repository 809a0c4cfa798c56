/** How many connections this instance takes, WebSocket and SSE together: in all, of one address and of one user. */
import { createBoundedCache } from "../bounded-cache.ts";
import type { Config } from "../config/config.ts";
import { networkOf } from "../ip-address.ts";
import { EACH, type Log } from "../log.ts";
import type { Counts } from "../measures.ts";

/** The part of all connections that those without a user never take: they cannot keep out who is coming in. */
const RESERVED = 0.2;

/** A full instance has room again below this part of its maximum: one that leaves must not be announced each time. */
const ROOM_BELOW = 0.9;

/** How long who is turned away from SSE should wait, in milliseconds. */
export const RETRY_AFTER_MS = 5000;

/** Why a connection is turned away. Clients read it. */
export type Refusal =
  | "Too many connections"
  | "Too many connections from this address"
  | "Too many connections of this user";

const LABELS: Readonly<Record<Refusal, string>> = {
  "Too many connections": "full",
  "Too many connections from this address": "address",
  "Too many connections of this user": "user",
};

/** A connection that can be closed for another one. */
export interface Evictable {
  evict(): void;
}

interface ConnectionLimitsOptions {
  readonly config: Pick<Config, "MAX_CONNECTIONS" | "MAX_CONNECTIONS_PER_ADDRESS" | "MAX_CONNECTIONS_PER_USER">;
  /** Counts who is turned away, by reason. */
  readonly rejections: Counts;
  /** Counts what is refused for a rate limit. */
  readonly rateLimited: Counts;
  readonly log: Log;
}

const REPORTED = 1000;
const REPORT_INTERVAL_MS = 60_000;

export class ConnectionLimits {
  readonly #options: ConnectionLimitsOptions;
  readonly #users = new Tally();
  readonly #addresses = new Tally();
  /** Those that have not said who they are, the oldest first. */
  readonly #idle = new Map<Slot, Evictable>();
  /** Of whom the log has said lately that they are refused. */
  readonly #reported = createBoundedCache<string, true>({ max: REPORTED, ttl: REPORT_INTERVAL_MS });
  #open = 0;
  #unidentified = 0;
  #isFull = false;

  constructor(options: ConnectionLimitsOptions) {
    this.#options = options;
  }

  /** Whether a load balancer should choose another instance. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /**
   * Takes a place for a connection, or says why there is none. Where all places are taken, the connection that has said nothing for longest
   * is closed for this one.
   */
  take(address: string | undefined): Slot | Refusal {
    const { MAX_CONNECTIONS: max, MAX_CONNECTIONS_PER_ADDRESS: perAddress } = this.#options.config;
    const network = address === undefined ? "unknown" : networkOf(address);
    if (perAddress !== undefined && this.#addresses.get(network) >= perAddress) {
      this.#report("MAX_CONNECTIONS_PER_ADDRESS", { address: network, connections: perAddress });
      return this.#refuse("Too many connections from this address");
    }
    if ((this.#open >= max || this.#unidentified >= withoutReserved(max)) && !this.#evictOne()) {
      this.#update(true);
      return this.#refuse("Too many connections");
    }
    this.#addresses.add(network);
    this.#open++;
    this.#unidentified++;
    this.#update();
    return new Slot(this, network);
  }

  /** @internal */
  noteFlood(): void {
    this.#options.rateLimited.add("connection");
  }

  /** @internal */
  wait(slot: Slot, owner: Evictable): void {
    this.#idle.set(slot, owner);
  }

  /** @internal */
  begin(slot: Slot): void {
    this.#idle.delete(slot);
  }

  /** @internal */
  identify(userId: string): Refusal | undefined {
    const { MAX_CONNECTIONS_PER_USER: perUser } = this.#options.config;
    if (this.#users.get(userId) >= perUser) {
      this.#report("MAX_CONNECTIONS_PER_USER", { userId, connections: perUser });
      return this.#refuse("Too many connections of this user");
    }
    this.#users.add(userId);
    this.#unidentified--;
    this.#update();
    return undefined;
  }

  /** @internal */
  release(slot: Slot, network: string, userId: string | undefined, isReplaced: boolean): void {
    this.#idle.delete(slot);
    this.#addresses.remove(network);
    this.#open--;
    if (userId === undefined) this.#unidentified--;
    else this.#users.remove(userId);
    if (!isReplaced) this.#update();
  }

  /** Once a minute for each user and address: further attempts do not fill the log. */
  #report(
    limit: string,
    who: { readonly address?: string; readonly userId?: string; readonly connections: number },
  ): void {
    const key = JSON.stringify([who.address, who.userId]);
    if (this.#reported.has(key)) return;
    this.#reported.set(key, true);
    const isEach = this.#reported.size < REPORTED;
    this.#options.log.warn({ ...who, [EACH]: isEach }, `${limit} is reached: further connections are refused`);
  }

  #evictOne(): boolean {
    const [first] = this.#idle;
    if (!first) return false;
    const [slot, owner] = first;
    slot.release(true);
    this.#options.rejections.add(LABELS["Too many connections"]);
    owner.evict();
    return true;
  }

  #refuse(reason: Refusal): Refusal {
    this.#options.rejections.add(LABELS[reason]);
    return reason;
  }

  /** Logs when the instance becomes full, and when there is room again: once each, however many connections are refused. */
  #update(isRefusing = false): void {
    const connections = this.#open;
    const max = this.#options.config.MAX_CONNECTIONS;
    const isCrowded = connections > max * ROOM_BELOW || this.#unidentified > withoutReserved(max) * ROOM_BELOW;
    const isFull = connections >= max || isRefusing || (this.#isFull && isCrowded);
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    const { log } = this.#options;
    if (isFull) log.warn({ connections }, "full: MAX_CONNECTIONS is reached, and further connections are refused");
    else log.info({ connections }, "there is room for connections again");
  }
}

/** Those of all connections that may be without a user. */
function withoutReserved(max: number): number {
  return max - Math.floor(max * RESERVED);
}

/** The place of one connection, which is released once. */
export class Slot {
  readonly #limits: ConnectionLimits;
  readonly #network: string;
  #userId: string | undefined;
  #isReleased = false;

  constructor(limits: ConnectionLimits, network: string) {
    this.#limits = limits;
    this.#network = network;
  }

  /** The connection has not said who it is, or is not believed: it may be closed for another one. */
  wait(owner: Evictable): void {
    if (!this.#isReleased && this.#userId === undefined) this.#limits.wait(this, owner);
  }

  /** It is closed since its client sends far more than it may. */
  noteFlood(): void {
    this.#limits.noteFlood();
  }

  /** It is being found out who this is. */
  begin(): void {
    this.#limits.begin(this);
  }

  /** It is this user's from now on. @returns why it may not be. */
  identify(userId: string): Refusal | undefined {
    if (this.#isReleased) return "Too many connections";
    const refusal = this.#limits.identify(userId);
    if (refusal === undefined) this.#userId = userId;
    return refusal;
  }

  /** The connection is closed. Harmless when repeated. @param isReplaced another one takes its place at once. */
  release(isReplaced = false): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#limits.release(this, this.#network, this.#userId, isReplaced);
  }
}

/** Counts by key, which exist as long as there is something to count. */
class Tally {
  readonly #counts = new Map<string, number>();

  get(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string): void {
    this.#counts.set(key, this.get(key) + 1);
  }

  remove(key: string): void {
    const left = this.get(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
