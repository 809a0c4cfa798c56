/**
 * The position of the client of a subscription: what was written before a ping that it has answered has arrived. It is kept on the bus
 * for as long as the client may come back, to whichever instance, under the operation's key; graphql-ws clients repeat `subscribe`
 * with the same id and payload.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { LRUCache } from "lru-cache";
import { createBoundedCache } from "../bounded-cache.ts";
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
import { newOwnerId, ResumePoint, type Asker, type Owner, type Positions, type TakenPosition } from "./resume-point.ts";

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

const positionShape = z.object({ base: z.string(), topics: z.record(z.string(), z.string()) });

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

export class ResumePoints implements Positions {
  readonly #options: ResumePointsOptions;
  readonly #remembered = createBoundedCache<string, Remembered>({ max: REMEMBERED });
  /** Of clients that were gone before their subscription had begun, until the bus knows it. */
  readonly #lost: LRUCache<string, Remembered>;
  readonly #stopObserving: () => void;
  readonly #purge: NodeJS.Timeout;
  #restored = Promise.withResolvers<void>();
  #isClosed = false;
  #leave: Unsubscribe | undefined;

  constructor(options: ResumePointsOptions) {
    this.#options = options;
    this.#lost = createBoundedCache({ max: REMEMBERED, ttl: options.windowMs });
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
   * A subscription is being opened under a key.
   *
   * @param since where it continues, should its client be lost before it has begun. Undefined where its client says that itself.
   */
  open(key: string, asker: Asker, since: StreamPosition | undefined): ResumePoint {
    return new ResumePoint(this, key, asker, since);
  }

  async take(
    key: string,
    id: string,
    initial: StreamPosition | undefined,
    isWanted: () => boolean,
  ): Promise<TakenPosition> {
    const { bus } = this.#options;
    const lost = this.#lost.get(key)?.position;
    const taken = await this.#takeOver(key, id, lost ?? initial, isWanted);
    this.#lost.delete(key);
    const owner = { id, takenAt: bus.log.position([]).base };
    const value = taken.status === "found" ? positionShape.safeParse(taken.value).data : undefined;
    const found = taken.status === "none" ? lost : value;
    const isExpired = taken.status === "expired" || (taken.status === "found" && !value);
    const position = found ?? (isExpired ? undefined : initial);
    // Until the client confirms something it is remembered here alone, should the bus lose its memory.
    if (position) this.#remembered.set(key, { owner, position }, { ttl: this.#openMs });
    else this.#remembered.delete(key);
    return { owner, found, position, isExpired };
  }

  async #takeOver(
    key: string,
    owner: string,
    initial: StreamPosition | undefined,
    isWanted: () => boolean,
  ): Promise<TakenValue> {
    const { bus, log } = this.#options;
    for (;;) {
      const restored = this.#restored.promise;
      try {
        return await bus.fenced.take(key, owner, initial, this.#openMs, this.#openMs + TOMBSTONE_MS, isWanted);
      } catch (error) {
        if (!(error instanceof BusUnavailable)) throw error;
        log.debug({ err: error }, "the position of a client cannot be read yet");
      }
      await Promise.race([restored, sleep(RETRY_MS, undefined, { ref: false })]);
      if (!isWanted()) throw new GatewayError("UNAUTHENTICATED");
    }
  }

  /** How long a position is kept whose client is connected, until its next confirmation. */
  get #openMs(): number {
    const { windowMs, confirmationMs } = this.#options;
    return windowMs + confirmationMs;
  }

  save(key: string, owner: Owner, position: StreamPosition, isOpen: boolean, mayWait = false): void {
    const { bus, windowMs } = this.#options;
    const ttlMs = isOpen ? this.#openMs : windowMs;
    this.#remember(key, { owner, position }, ttlMs);
    this.#run(async () => {
      // Owned by somebody else: the client of this connection has left it.
      if (!(await bus.fenced.put(key, owner.id, position, ttlMs, ttlMs + TOMBSTONE_MS, mayWait)))
        this.#forgetOwn(key, owner);
    });
  }

  #remember(key: string, saved: Remembered, ttlMs: number): void {
    const known = this.#remembered.peek(key)?.owner;
    // A later owner's: the client of this connection has left it.
    if (known && known.id !== saved.owner.id && known.takenAt >= saved.owner.takenAt) return;
    this.#remembered.set(key, saved, { ttl: ttlMs });
  }

  noteLost(key: string, position: StreamPosition): void {
    const { bus, windowMs } = this.#options;
    // It has been lost before, when it had less.
    if (this.#lost.has(key)) return;
    const lost = { owner: { id: newOwnerId(), takenAt: bus.log.position([]).base }, position };
    this.#lost.set(key, lost);
    const isWanted = (): boolean => !this.#isClosed && this.#lost.peek(key) === lost;
    const put = async (): Promise<void> => {
      const isSet = await bus.fenced.putFirst(key, lost.owner.id, position, windowMs, windowMs + TOMBSTONE_MS);
      if (isSet && isWanted()) this.#remembered.set(key, lost, { ttl: windowMs });
    };
    this.#run(() =>
      whenReachable(put, isWanted).finally(() => {
        if (this.#lost.peek(key) === lost) this.#lost.delete(key);
      }),
    );
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
