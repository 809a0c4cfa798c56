import type { Connection } from "./connection.ts";

/** Events that may be written to a client before it is asked whether they have arrived, heartbeat or not. */
const MAX_UNCONFIRMED = 250;

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
  #isPingDue = false;

  constructor(connection: Connection, intervalMs: number) {
    this.#connection = connection;
    connection.socket.on("pong", (data) => this.#onPong(data));
    this.#timer = setInterval(() => this.#beat(), intervalMs);
  }

  /** So many events have been written since the last ping. */
  onWritten(count: number): void {
    // One at a time: what is written while it is under way has the next one.
    if (count < MAX_UNCONFIRMED || this.#answered !== this.#sent || this.#isPingDue) return;
    this.#isPingDue = true;
    // Not right here: the event that is being written may have others of the connection's subscriptions still to come to.
    queueMicrotask(() => {
      this.#isPingDue = false;
      const { socket } = this.#connection;
      if (socket.readyState === socket.OPEN && this.#answered === this.#sent) this.#ping();
    });
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
    if (this.#answered === this.#sent) this.#ping();
  }

  #ping(): void {
    const { socket, outbox } = this.#connection;
    this.#connection.noteResumePoints();
    outbox.flush();
    socket.ping(String(++this.#sent));
  }

  #onPong(data: Buffer): void {
    this.#isAlive = true;
    // Some send a pong that nobody asked for.
    if (data.toString() !== String(this.#sent) || this.#answered === this.#sent) return;
    this.#answered = this.#sent;
    this.#connection.confirmResumePoints();
  }
}
