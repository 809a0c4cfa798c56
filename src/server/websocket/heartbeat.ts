import type { WebSocket } from "ws";
import type { Outbox } from "./outbox.ts";
import { PART_BYTES } from "./watched-outbox.ts";

/** What a heartbeat has to know of its connection, and tells it. */
interface Monitored {
  readonly socket: WebSocket;
  readonly isOpen: boolean;
  /** Whether nothing is read from the client because it does not read either. */
  readonly isThrottled: boolean;
  readonly outbox: Pick<Outbox, "flush" | "ping">;
  /** Noted when a ping is about to be written, and confirmed when it or a later one has been answered. */
  readonly points: {
    note(ping: number): void;
    confirm(ping: number): void;
    /** Whether another ping may be noted beside so many that are not answered. */
    hasRoom(pings: number): boolean;
  };
}

/** A client that has answered is asked again after so many: that it is slow is not known, and on a fast connection a ping is not for nothing. */
const PARTS = 4;

/** Slots of an interval: the heartbeats of one slot beat in one turn. */
const MAX_SLOTS = 100;

/** The least time between two slots. */
const MIN_TICK_MS = 10;

/** Slots that beat in one turn at most, where turns take longer than a slot. */
const SLOTS_AT_ONCE = 10;

/** The heartbeats of a server: one timer for all of them, each of which beats about every `intervalMs`, at times of its own. */
export class Heartbeats {
  readonly #slots: readonly Set<Heartbeat>[];
  readonly #tickMs: number;
  #slot = 0;
  /** When the slot was due, on this process's clock. */
  #slotAt = 0;
  #size = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(intervalMs: number) {
    const slots = Math.min(MAX_SLOTS, Math.max(1, Math.floor(intervalMs / MIN_TICK_MS)));
    this.#slots = Array.from({ length: slots }, () => new Set());
    this.#tickMs = intervalMs / slots;
  }

  /** Begins to beat, about an interval from now. Returns what {@link delete} takes. */
  add(heartbeat: Heartbeat): number {
    const slot = this.#slot;
    this.#slots[slot]?.add(heartbeat);
    if (this.#size++ === 0) this.#start();
    return slot;
  }

  delete(heartbeat: Heartbeat, slot: number): void {
    if (!this.#slots[slot]?.delete(heartbeat)) return;
    if (--this.#size === 0) clearInterval(this.#timer);
  }

  #start(): void {
    this.#slotAt = performance.now();
    const turn = (): void => this.#turn();
    // Behind what has arrived: a turn that took long must not make pongs look late.
    const later = (): void => void setImmediate(turn);
    this.#timer = setInterval(later, this.#tickMs);
  }

  #turn(): void {
    const now = performance.now();
    for (let count = 0; count < SLOTS_AT_ONCE && this.#slotAt + this.#tickMs <= now; count++) {
      this.#slotAt += this.#tickMs;
      this.#slot = (this.#slot + 1) % this.#slots.length;
      for (const heartbeat of this.#slots[this.#slot] ?? []) heartbeat.beat();
    }
    // Time in which nothing beat is not made up for.
    this.#slotAt = Math.max(this.#slotAt, now - this.#tickMs);
  }
}

/**
 * Pings a socket at each beat and drops it when a ping has not been answered by the next: a half-open connection looks
 * alive until something is sent. What was written before a ping that is answered has arrived.
 */
export class Heartbeat {
  readonly #connection: Monitored;
  readonly #heartbeats: Heartbeats;
  readonly #slot: number;
  /** Whether any pong has come since the last beat. */
  #isAlive = true;
  #sent = 0;
  #answered = 0;

  constructor(connection: Monitored, heartbeats: Heartbeats) {
    this.#connection = connection;
    this.#heartbeats = heartbeats;
    this.#slot = heartbeats.add(this);
  }

  /**
   * Asks whether the events so far have arrived. Not in the middle of an event, which other subscriptions of the connection may still
   * have to write: outboxes are flushed at the end of a turn.
   *
   * @param isDue the last ping was long ago.
   * @param bytes of events that were written since. On a slow connection a pong to what stands behind much more would come too late for
   *   the heartbeat, and what has arrived until then would come again.
   * @returns whether it was not asked.
   */
  ask(isDue: boolean, bytes: number): boolean {
    const { isOpen, points } = this.#connection;
    if (!isOpen) return false;
    const unanswered = this.#sent - this.#answered;
    const isWanted =
      unanswered === 0 ? isDue || bytes >= PARTS * PART_BYTES : bytes >= PART_BYTES && points.hasRoom(unanswered);
    if (isWanted) this.#ping();
    return !isWanted;
  }

  stop(): void {
    this.#heartbeats.delete(this, this.#slot);
  }

  /** @internal */
  beat(): void {
    const { socket, isThrottled } = this.#connection;
    // One that is closing has a timeout of its own, and of one that is paused no pong is read.
    if (socket.readyState !== socket.OPEN || (socket.isPaused && !isThrottled)) return;
    if (!this.#isAlive) {
      socket.terminate();
      return;
    }
    this.#isAlive = false;
    if (this.#answered !== this.#sent) return;
    this.#ping();
    this.#connection.outbox.flush();
  }

  #ping(): void {
    this.#connection.points.note(++this.#sent);
    this.#connection.outbox.ping(String(this.#sent));
  }

  /** A pong has arrived. @returns whether it answers a ping. */
  onPong(data: Buffer): boolean {
    this.#isAlive = true;
    const ping = Number(data.toString());
    // Some send a pong that nobody asked for. Of several pings the last alone may be answered: RFC 6455, section 5.5.3.
    if (!(ping > this.#answered && ping <= this.#sent)) return false;
    this.#answered = ping;
    this.#connection.points.confirm(ping);
    return true;
  }
}
