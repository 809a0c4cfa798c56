/**
 * The position of the client of a subscription: what was written before a ping that it has answered has arrived. It is kept on the bus
 * for as long as the client may come back, to whichever instance, under the operation's key; graphql-ws clients repeat `subscribe`
 * with the same id and payload.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { boundedEach, boundedWait } from "../bounded.ts";
import {
  BusUnavailable,
  whenReachable,
  type Bus,
  type StreamPosition,
  type TakenValue,
  type Unsubscribe,
} from "../bus/bus.ts";
import type { BusEvent } from "../chat/events/registry.ts";
import { USERS_TOPIC } from "../chat/events/topics.ts";
import { GatewayError } from "../errors.ts";
import type { Log } from "../log.ts";

/** Positions that this instance remembers at most, for when the bus has lost them. */
const REMEMBERED = 100_000;

/** How long it is remembered that there was a position, after the client may come back for it. */
const TOMBSTONE_MS = 24 * 3_600_000;

/** Before another attempt to read a position that could not be read. */
const RETRY_MS = 500;

/** Positions that are written again at the same time. */
const RESTORED_AT_ONCE = 64;

/** Positions that are handed over in one event, and how long a gateway that stops waits until they are. */
const HANDED_OVER_AT_ONCE = 200;
const HAND_OVER_MS = 1000;

/** No two ids of owners are equal. */
const OWNER_BYTES = 16;

const positionShape = z.object({ base: z.string(), topics: z.record(z.string(), z.string()) });

/** What knows the position of its reader. */
export interface Positioned {
  /** With all that was written to the reader; undefined where that cannot be said right now. */
  position(): StreamPosition | undefined;
}

/** A subscription that has taken over a position. */
interface Owner {
  readonly id: string;
  /** By the bus's clock. */
  readonly takenAt: string;
}

interface Remembered {
  readonly owner: Owner;
  readonly position: StreamPosition;
}

interface ResumePointsOptions {
  readonly bus: Bus<BusEvent>;
  /** How long a client that has gone may come back. */
  readonly windowMs: number;
  /** How long a connection may live without confirming anything. */
  readonly confirmationMs: number;
  readonly log: Log;
}

export class ResumePoints {
  readonly #options: ResumePointsOptions;
  readonly #remembered = new LRUCache<string, Remembered>({ max: REMEMBERED });
  readonly #stopObserving: () => void;
  readonly #purge: NodeJS.Timeout;
  #restored = Promise.withResolvers<void>();
  #isClosed = false;
  #leave: Unsubscribe | undefined;

  constructor(options: ResumePointsOptions) {
    this.#options = options;
    this.#stopObserving = options.bus.observe({
      emptied: (onProgress) => this.#restore(onProgress),
      restored: () => {
        this.#restored.resolve();
        this.#restored = Promise.withResolvers();
      },
    });
    const purge = (): void => void this.#remembered.purgeStale();
    this.#purge = setInterval(purge, options.windowMs).unref();
  }

  async start(): Promise<void> {
    this.#leave = await this.#options.bus.subscribe(USERS_TOPIC, { receive: (event) => this.#receive(event) });
  }

  /** The clients are gone, and may come back to others: those remember their positions from now on. */
  async close(): Promise<void> {
    this.#stopObserving();
    this.#isClosed = true;
    clearInterval(this.#purge);
    await this.#leave?.();
    await boundedWait(HAND_OVER_MS, this.#handOver(), undefined);
  }

  async #handOver(): Promise<void> {
    const { bus, log } = this.#options;
    const positions = Array.from(this.#remembered.entries(), ([key, { owner, position }]) => ({
      key,
      owner: owner.id,
      takenAt: owner.takenAt,
      position,
      ttlMs: this.#remembered.getRemainingTTL(key),
    }));
    try {
      for (let start = 0; start < positions.length; start += HANDED_OVER_AT_ONCE) {
        const some = positions.slice(start, start + HANDED_OVER_AT_ONCE);
        await bus.publish(USERS_TOPIC, { type: "positions.handed_over", positions: some });
      }
    } catch (error) {
      log.warn({ err: error }, "the positions of clients could not be handed over");
    }
  }

  #receive(event: BusEvent): void {
    if (event.type !== "positions.handed_over") return;
    for (const { key, owner, takenAt, position, ttlMs } of event.positions) {
      // Its client may be here already.
      if ((this.#remembered.peek(key)?.owner.takenAt ?? "") >= takenAt) continue;
      if (ttlMs > 0) this.#remembered.set(key, { owner: { id: owner, takenAt }, position }, { ttl: ttlMs });
    }
  }

  /**
   * Takes over the position under a key, of a connection that is gone or believed to be. Waits for a bus that does not answer: a position
   * is never guessed.
   *
   * @throws GatewayError UNAUTHENTICATED where nobody waits for the subscription any more.
   */
  async take(key: string, isWanted: () => boolean): Promise<ResumePoint> {
    const { windowMs, bus } = this.#options;
    const id = newOwnerId();
    const taken = await this.#takeOver(key, id, isWanted);
    const owner = { id, takenAt: bus.log.position([]).base };
    const position = taken.status === "found" ? positionShape.safeParse(taken.value).data : undefined;
    // Until the client confirms something it is remembered here alone, should the bus lose its memory.
    if (position) this.#remembered.set(key, { owner, position }, { ttl: windowMs });
    const isExpired = taken.status === "expired" || (taken.status === "found" && !position);
    return new ResumePoint(this, key, owner, position, isExpired);
  }

  async #takeOver(key: string, owner: string, isWanted: () => boolean): Promise<TakenValue> {
    const { bus, windowMs, log } = this.#options;
    for (;;) {
      const restored = this.#restored.promise;
      try {
        return await bus.fenced.take(key, owner, windowMs, TOMBSTONE_MS);
      } catch (error) {
        if (!(error instanceof BusUnavailable)) throw error;
        log.debug({ err: error }, "the position of a client cannot be read yet");
      }
      await Promise.race([restored, sleep(RETRY_MS, undefined, { ref: false })]);
      if (!isWanted()) throw new GatewayError("UNAUTHENTICATED");
    }
  }

  /**
   * @param isOpen whether the connection goes on: the next confirmation then prolongs it.
   * @param mayWait a moment, to be written together with others.
   */
  save(key: string, owner: Owner, position: StreamPosition, isOpen: boolean, mayWait = false): void {
    const { bus, windowMs, confirmationMs } = this.#options;
    const ttlMs = windowMs + (isOpen ? confirmationMs : 0);
    this.#remembered.set(key, { owner, position }, { ttl: ttlMs });
    this.#run(async () => {
      // Owned by somebody else: the client of this connection has left it.
      if (!(await bus.fenced.put(key, owner.id, position, ttlMs, ttlMs + TOMBSTONE_MS, mayWait)))
        this.#forgetOwn(key, owner);
    });
  }

  /**
   * The client has gone before its subscription began: it continues from there, unless it has a position, as it may have come back on another
   * connection already.
   */
  noteLost(key: string, position: StreamPosition): void {
    const { bus, windowMs } = this.#options;
    if (this.#remembered.has(key)) return;
    const owner = { id: newOwnerId(), takenAt: bus.log.position([]).base };
    this.#run(async () => {
      if (!(await bus.fenced.putFirst(key, owner.id, position, windowMs, windowMs + TOMBSTONE_MS))) return;
      if (!this.#remembered.has(key)) this.#remembered.set(key, { owner, position }, { ttl: windowMs });
    });
  }

  drop(key: string, owner: Owner): void {
    this.#forgetOwn(key, owner);
    this.#run(() => this.#options.bus.fenced.drop(key, owner.id));
  }

  #forgetOwn(key: string, owner: Owner): void {
    if (this.#remembered.get(key)?.owner.id === owner.id) this.#remembered.delete(key);
  }

  /** The bus has lost the positions. Resolves when it has those again that are remembered here. */
  async #restore(onProgress: () => void): Promise<void> {
    const isWanted = (): boolean => !this.#isClosed;
    await boundedEach([...this.#remembered.keys()], RESTORED_AT_ONCE, async (key) => {
      await whenReachable(() => this.#restoreOne(key), isWanted);
      onProgress();
    });
  }

  /** Rejects with BusUnavailable. */
  async #restoreOne(key: string): Promise<void> {
    const remembered = this.#remembered.peek(key);
    const ttlMs = this.#remembered.getRemainingTTL(key);
    if (!remembered || ttlMs <= 0) return;
    const { owner, position } = remembered;
    try {
      await this.#options.bus.fenced.restore(key, owner.id, owner.takenAt, position, ttlMs, ttlMs + TOMBSTONE_MS);
    } catch (error) {
      if (error instanceof BusUnavailable) throw error;
      this.#options.log.error({ err: error }, "a client's position could not be saved");
    }
  }

  /** Nobody waits for it. */
  #run(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (error instanceof BusUnavailable) this.#options.log.debug({ err: error }, "a client's position was not saved");
      else this.#options.log.error({ err: error }, "a client's position could not be saved");
    });
  }
}

/** Not a UUID: that is made of pieces, which stay apart in memory until somebody compares it. */
function newOwnerId(): string {
  return randomBytes(OWNER_BYTES).toString("base64url");
}

/** Of one subscription. */
export class ResumePoint {
  /** The position of the client when it was last here, if it was. */
  readonly found: StreamPosition | undefined;
  /** There was a position, and its time is over. */
  readonly isExpired: boolean;
  readonly #points: ResumePoints;
  readonly #key: string;
  readonly #owner: Owner;
  #stream: Positioned | undefined;
  #noted: StreamPosition | undefined;
  #confirmed: StreamPosition | undefined;

  constructor(points: ResumePoints, key: string, owner: Owner, found: StreamPosition | undefined, isExpired: boolean) {
    this.#points = points;
    this.#key = key;
    this.#owner = owner;
    this.found = found;
    this.isExpired = isExpired;
    this.#confirmed = found;
  }

  /**
   * The stream is open.
   *
   * @param isFresh the client needs nothing from before: if it is lost before it has confirmed anything it gets everything since
   * now. Otherwise it gets again what it comes back for.
   */
  begin(stream: Positioned, isFresh: boolean): void {
    this.#stream = stream;
    if (!isFresh) return;
    this.#noted = stream.position();
    // At once: what was never written is not missed.
    this.#confirm(false);
  }

  /** A ping is about to be written. */
  note(): void {
    this.#noted = this.#stream?.position();
  }

  /** The ping was answered: what was written before it has arrived. */
  confirm(): void {
    this.#confirm(true);
  }

  #confirm(mayWait: boolean): void {
    if (!this.#noted) return;
    this.#confirmed = this.#noted;
    this.#noted = undefined;
    this.#points.save(this.#key, this.#owner, this.#confirmed, true, mayWait);
  }

  /** The connection is gone; its client may come back. @param isConfirmed it has answered what was noted last. */
  suspend(isConfirmed: boolean): void {
    if (isConfirmed) this.#confirmed = this.#noted ?? this.#confirmed;
    if (this.#confirmed) this.#points.save(this.#key, this.#owner, this.#confirmed, false);
  }

  /** The client wants no more. */
  forget(): void {
    this.#points.drop(this.#key, this.#owner);
  }
}
