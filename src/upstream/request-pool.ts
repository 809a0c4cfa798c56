/** Connections to the REST API, and the requests that wait for one. */
import { Pool, type Dispatcher } from "undici";
import type { Deadline } from "./deadline.ts";
import { Exchange, type Exchanged } from "./exchange.ts";
import { FairSemaphore } from "./semaphore.ts";

/**
 * How long a connection is kept without a request: shorter than any server is known to keep it that does not say how long it will
 * (gunicorn 2 s, Node.js, Apache and uvicorn 5 s). A request on a connection that the API is closing is lost, and a POST is not repeated.
 * undici looks once more before it writes to a connection that was idle: an end that has arrived is noticed.
 */
const IDLE_MS = 1500;

/** So much before the time that an API announces its idle connections are closed. */
const IDLE_MARGIN_MS = 1000;

/** However long an API announces. */
const MAX_IDLE_MS = 60_000;

/** What part of the connections the requests of one user may take up. */
const USERS_SHARE = 8;

export interface RequestPoolOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  readonly connections: number;
}

export class RequestPool {
  readonly #pool: Pool;
  /**
   * In front of the pool, whose own queue nobody can leave: after an outage it would open a connection, only to cut it, for
   * each request that had timed out in it.
   */
  readonly #permits: FairSemaphore;
  /**
   * Errors of connecting, known by identity: the code does not tell, since a TLS handshake that was reset and an answer that was
   * lost are both ECONNRESET. The pool says so before the request's own promise rejects with the same error.
   */
  readonly #connectErrors = new WeakSet<Error>();

  constructor({ origin, timeoutMs, maxAnswerBytes, connections }: RequestPoolOptions) {
    this.#permits = new FairSemaphore(connections, Math.max(1, Math.ceil(connections / USERS_SHARE)));
    this.#pool = new Pool(origin, {
      connections,
      maxResponseSize: maxAnswerBytes,
      // The attempt's own timeout is the only one, but for connecting: a host that swallows packets leaves time to try another way in.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: Math.ceil(timeoutMs / 2),
      keepAliveTimeout: IDLE_MS,
      keepAliveTimeoutThreshold: IDLE_MARGIN_MS,
      keepAliveMaxTimeout: MAX_IDLE_MS,
      // Over HTTP/2 undici repeats by itself what a GOAWAY refused.
      allowH2: false,
    });
    this.#pool.on("connectionError", (_origin, _targets, error) => this.#connectErrors.add(error));
  }

  /** Requests that have a connection, or are being given one. */
  get inFlight(): number {
    return this.#permits.inUse;
  }

  /** Requests that wait until others are done. */
  get waiting(): number {
    return this.#permits.waiting;
  }

  /** Resolves to whether the user may send a request before the deadline: {@link send} then has to be called. */
  async admit(user: string, deadline: Deadline): Promise<boolean> {
    return this.#permits.tryAcquire(user) || this.#permits.acquire(user, deadline);
  }

  /** The user was admitted, and sends nothing. */
  withdraw(user: string): void {
    this.#permits.release(user);
  }

  /** Sends a request of a user who was admitted. */
  send(user: string, options: Dispatcher.DispatchOptions, deadline: Deadline): Promise<Exchanged> {
    const exchange = new Exchange(deadline, () => this.#permits.release(user));
    this.#pool.dispatch(options, exchange);
    return exchange.outcome;
  }

  /** Whether a request with that error certainly did not reach the API. */
  neverArrived(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    // What the system refuses to write has not left this machine as a whole.
    return this.#connectErrors.has(error) || ("syscall" in error && error.syscall === "write");
  }

  destroy(): Promise<void> {
    return this.#pool.destroy();
  }
}
