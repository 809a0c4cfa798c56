import type { WebSocket } from "ws";
import type { Outbox } from "./outbox.ts";

/** What a heartbeat has to know of its connection, and tells it. */
interface Monitored {
  readonly socket: WebSocket;
  readonly isOpen: boolean;
  /** Whether nothing is read from the client because it does not read either. */
  readonly isThrottled: boolean;
  readonly outbox: Pick<Outbox, "flush" | "ping">;
  /** A ping is about to be written. */
  noteResumePoints(): void;
  /** That ping has been answered. */
  confirmResumePoints(): void;
}

/**
 * Pings a socket every `intervalMs` and drops it when a ping has not been answered by the next: a half-open connection looks
 * alive until something is sent. What was written before a ping that is answered has arrived.
 */
export class Heartbeat {
  readonly #connection: Monitored;
  readonly #timer: NodeJS.Timeout;
  /** Whether any pong has come since the last beat. */
  #isAlive = true;
  #sent = 0;
  #answered = 0;

  constructor(connection: Monitored, intervalMs: number) {
    this.#connection = connection;
    connection.socket.on("pong", (data) => this.#onPong(data));
    this.#timer = setInterval(() => this.#beat(), intervalMs);
  }

  /**
   * Asks whether the events so far have arrived. Not in the middle of an event, which other subscriptions of the connection may still
   * have to write: outboxes are flushed at the end of a turn.
   *
   * @returns whether it could not be asked, since the last ping is not answered yet.
   */
  ask(): boolean {
    if (!this.#connection.isOpen) return false;
    if (this.#answered !== this.#sent) return true;
    this.#ping();
    return false;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
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
    this.#connection.noteResumePoints();
    this.#connection.outbox.ping(String(++this.#sent));
  }

  #onPong(data: Buffer): void {
    this.#isAlive = true;
    // Some send a pong that nobody asked for.
    if (data.toString() !== String(this.#sent) || this.#answered === this.#sent) return;
    this.#answered = this.#sent;
    this.#connection.confirmResumePoints();
  }
}
