/** Answers over HTTP that clients do not read: few of them are held, and not for long. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Requests on one connection that wait for the answers to those before them. Browsers never send one before they have the last answer. */
const MAX_PIPELINED = 16;

/** Slower than this no client reads that has any use of an answer. */
const BYTES_PER_MS = 8;

/**
 * Takes the requests of a connection one after the other: the next one when the answer to the last has left. Otherwise a client that sends
 * many and reads nothing would have all the answers waiting for it.
 */
export class UnreadAnswers {
  readonly #patienceMs: number;
  /** What is to be done on each connection that has a request. */
  readonly #waiting = new WeakMap<Socket, (() => void)[]>();
  #isStopping = false;

  /** @param patienceMs how long nothing of an answer may leave. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** @param begin is called when it is the request's turn; not at all where the connection is gone by then. */
  take(socket: Socket, response: ServerResponse, begin: () => void): void {
    const waiting = this.#waiting.get(socket);
    const start = (): void => this.#begin(socket, response, begin);
    if (!waiting) {
      this.#waiting.set(socket, []);
      start();
    } else if (waiting.length < MAX_PIPELINED) waiting.push(start);
    else socket.destroy();
  }

  /** Begins nothing more that waits for an answer before it: its connection is closed after that. */
  stop(): void {
    this.#isStopping = true;
  }

  #begin(socket: Socket, response: ServerResponse, begin: () => void): void {
    const timer = setInterval(() => {
      if (socket.writableLength === 0 || isStream(response)) return;
      clearInterval(timer);
      this.#limit(socket, response);
    }, this.#patienceMs).unref();
    response.once("close", () => {
      clearInterval(timer);
      const next = this.#waiting.get(socket)?.shift();
      if (!next || socket.destroyed || this.#isStopping) {
        this.#waiting.delete(socket);
        return;
      }
      socket.setTimeout(0);
      next();
    });
    begin();
  }

  /** Some of an answer waits for its client. */
  #limit(socket: Socket, response: ServerResponse): void {
    // Where nothing at all leaves meanwhile the server destroys it.
    socket.setTimeout(this.#patienceMs);
    const cut = setTimeout(() => socket.destroy(), Math.ceil(socket.writableLength / BYTES_PER_MS)).unref();
    response.once("close", () => clearTimeout(cut));
  }
}

/** What waits for its reader there is bounded. */
function isStream(response: ServerResponse): boolean {
  return String(response.getHeader("content-type")).startsWith("text/event-stream");
}
