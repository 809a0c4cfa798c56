/**
 * Where the client of a subscription stands for certain: what was written before a ping that it has answered. It is kept on the bus
 * for as long as the client may come back, to whichever instance, under the operation's key; graphql-ws clients repeat `subscribe` with
 * the same id and payload.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { BusUnavailable, type Bus, type Mark } from "../bus/bus.ts";
import type { BusEvent } from "../chat/events.ts";
import type { Log } from "../log.ts";

/** Positions that this instance remembers having written at most: for when the bus has lost them, or cannot be reached. */
const REMEMBERED = 100_000;

/** How long a client that comes back waits for a bus that is away: only the bus knows where it stood, if that was with another instance. */
const PATIENCE_MS = 1500;

const markShape = z.object({ base: z.string(), topics: z.record(z.string(), z.string()) });

/** What knows where its reader stands. */
export interface Marked {
  /** Where the reader stands with all that has been written to it; undefined where that cannot be said right now. */
  mark(): Mark | undefined;
}

interface Remembered {
  readonly owner: string;
  readonly mark: Mark;
}

interface ResumePointsOptions {
  readonly bus: Bus<BusEvent>;
  /** How long a client that has gone may come back. */
  readonly windowMs: number;
  /** How long a connection may live without confirming anything. */
  readonly confirmationMs: number;
  /** How often a position goes to the bus while its connection lives: the instance may die without a word. */
  readonly saveIntervalMs: number;
  readonly log: Log;
}

export class ResumePoints {
  readonly #options: ResumePointsOptions;
  readonly #remembered = new LRUCache<string, Remembered>({ max: REMEMBERED });
  readonly #stopObserving: () => void;
  #restored = Promise.withResolvers<void>();

  constructor(options: ResumePointsOptions) {
    this.#options = options;
    this.#stopObserving = options.bus.observe({
      restored: (isEmptied) => {
        this.#restored.resolve();
        this.#restored = Promise.withResolvers();
        if (isEmptied) this.#restore();
      },
    });
  }

  close(): void {
    this.#stopObserving();
  }

  /** Takes over what is kept under a key, of a connection that is gone or taken for gone. Never rejects. */
  async take(key: string): Promise<ResumePoint> {
    const owner = randomUUID();
    const { windowMs, log } = this.#options;
    let found: unknown;
    try {
      found = await this.#takeOver(key, owner);
    } catch (error) {
      if (!(error instanceof BusUnavailable)) throw error;
      log.debug({ err: error }, "where a client stood is known here alone");
      found = this.#remembered.get(key)?.mark;
    }
    const { data: mark } = markShape.safeParse(found);
    // Until the client confirms something it is remembered here alone, should the bus lose its memory.
    if (mark) this.#remembered.set(key, { owner, mark }, { ttl: windowMs });
    return new ResumePoint(this, key, owner, mark);
  }

  /** Rejects with {@link BusUnavailable} where it is known here, or the bus does not come back soon. */
  async #takeOver(key: string, owner: string): Promise<unknown> {
    const { bus, windowMs } = this.#options;
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const restored = this.#restored.promise;
      try {
        return await bus.owned.take(key, owner, windowMs);
      } catch (error) {
        if (!(error instanceof BusUnavailable) || this.#remembered.has(key) || performance.now() > until) throw error;
      }
      await Promise.race([restored, sleep(until - performance.now(), undefined, { ref: false })]);
    }
  }

  get saveIntervalMs(): number {
    return this.#options.saveIntervalMs;
  }

  /** @param isOpen whether the connection goes on: the next confirmation then prolongs it. */
  save(key: string, owner: string, mark: Mark, isOpen: boolean): void {
    const { bus, windowMs, confirmationMs } = this.#options;
    const ttlMs = windowMs + (isOpen ? confirmationMs : 0);
    this.#remembered.set(key, { owner, mark }, { ttl: ttlMs });
    this.#run(async () => {
      // Somebody else's by now: this connection is one that its client has left.
      if (!(await bus.owned.put(key, owner, mark, ttlMs))) this.#forgetOwn(key, owner);
    });
  }

  drop(key: string, owner: string): void {
    this.#forgetOwn(key, owner);
    this.#run(() => this.#options.bus.owned.drop(key, owner));
  }

  #forgetOwn(key: string, owner: string): void {
    if (this.#remembered.get(key)?.owner === owner) this.#remembered.delete(key);
  }

  /** What was kept on the bus is gone: what is remembered here is put there again. */
  #restore(): void {
    for (const [key, { owner, mark }] of this.#remembered.entries()) {
      const ttlMs = this.#remembered.getRemainingTTL(key);
      this.#run(async () => {
        await this.#options.bus.owned.put(key, owner, mark, ttlMs);
      });
    }
  }

  /** Nobody waits for it, and its failure is told by a client's coming back to less. */
  #run(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (error instanceof BusUnavailable)
        this.#options.log.debug({ err: error }, "where a client stands was not kept");
      else this.#options.log.error({ err: error }, "where a client stands could not be kept");
    });
  }
}

/** Of one subscription. */
export class ResumePoint {
  /** Where the client stood when it was last here, if it was. */
  readonly found: Mark | undefined;
  readonly #points: ResumePoints;
  readonly #key: string;
  readonly #owner: string;
  #stream: Marked | undefined;
  #noted: Mark | undefined;
  #confirmed: Mark | undefined;
  #savedAt = -Infinity;

  constructor(points: ResumePoints, key: string, owner: string, found: Mark | undefined) {
    this.#points = points;
    this.#key = key;
    this.#owner = owner;
    this.found = found;
    this.#confirmed = found;
  }

  /**
   * The stream is open.
   *
   * @param isFresh the client needs nothing from before: if it is lost before it has confirmed anything it gets everything since
   * now. Otherwise it is to get again what it comes back for.
   */
  begin(stream: Marked, isFresh: boolean): void {
    this.#stream = stream;
    if (!isFresh) return;
    this.#noted = stream.mark();
    this.confirm();
  }

  /** A ping is about to be written. */
  note(): void {
    this.#noted = this.#stream?.mark();
  }

  /** The ping has been answered: what was written before it has arrived. */
  confirm(): void {
    if (!this.#noted) return;
    this.#confirmed = this.#noted;
    this.#noted = undefined;
    if (performance.now() - this.#savedAt < this.#points.saveIntervalMs) return;
    this.#savedAt = performance.now();
    this.#points.save(this.#key, this.#owner, this.#confirmed, true);
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
