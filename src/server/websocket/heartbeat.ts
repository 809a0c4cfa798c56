import type { Connection } from "./connection.ts";

/**
 * Pings a socket every `intervalMs` and drops it when a ping has not been answered by the next: a half-open connection looks
 * alive until something is sent. What was written before a ping that is answered has arrived.
 */
export class Heartbeat {
  readonly #connection: Connection;
  readonly #timer: NodeJS.Timeout;
  /** Whether any pong has come since the last beat. */
  #isAlive = true;
  #sent = 0;
  #answered = 0;

  constructor(connection: Connection, intervalMs: number) {
    this.#connection = connection;
    connection.socket.on("pong", (data) => this.#onPong(data));
    this.#timer = setInterval(() => this.#beat(), intervalMs);
  }

  /** Events are about to be written, whose arrival is to be asked after. */
  ask(): void {
    // One at a time: what is written while it is under way has the next one. And not in the middle of an event, which may have others
    // of the connection's subscriptions still to come to: outboxes are flushed at the end of a turn.
    if (this.#answered === this.#sent && this.#connection.isOpen) this.#ping();
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
