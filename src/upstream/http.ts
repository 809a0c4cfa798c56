/** One HTTP request to the REST API: connections, the timeout, the size of an answer. Whether to ask again is `rest-client.ts`'s. */
import { setTimeout as sleep } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import { Pool, type Dispatcher } from "undici";
import { callOrigin } from "../call-origin.ts";
import { Deadline } from "./deadline.ts";
import { Exchange, type HttpAnswer } from "./exchange.ts";
import { Semaphore } from "./semaphore.ts";

const DEFAULT_CONNECTIONS = 100;

/**
 * How long a connection is kept without a request: shorter than any server is known to keep it that does not say how long it will
 * (gunicorn 2 s, Node.js, Apache and uvicorn 5 s). A request on a connection that the API is closing is lost, and a POST is not repeated.
 */
const IDLE_MS = 1500;

/** So much before the time that an API announces its idle connections are closed. */
const IDLE_MARGIN_MS = 1000;

/** However long an API announces. */
const MAX_IDLE_MS = 60_000;

/** What part of the connections the requests of one token may take up. */
const TOKENS_SHARE = 8;

interface TokenPermits {
  readonly permits: Semaphore;
  /** Requests that have or want one. */
  users: number;
}

/** A request as it is sent. */
export interface HttpRequest {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** Below the base URL, with everything escaped. */
  readonly path: string;
  /** The path as the log names it: with the parameters' names in the place of ids. */
  readonly template: string;
  /** The user's own; every character must be one that a header carries. */
  readonly token: string;
  /** Sent as JSON; undefined: no body. */
  readonly body?: unknown;
  /** The Idempotency-Key header. */
  readonly idempotencyKey?: string;
  /** Over the gateway's own; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

export type { HttpAnswer };

/**
 * How one attempt ended. `unconnected`: no connection, so the request certainly was not processed. `lost`: the connection failed, and nobody
 * knows whether it was. `too-large`: an answer over `maxAnswerBytes`. `closed`: the transport is, and nothing was sent.
 */
export type Outcome =
  | HttpAnswer
  | { readonly kind: "timed-out" | "closed" }
  | { readonly kind: "unconnected" | "lost" | "too-large"; readonly error: unknown };

export interface HttpOptions {
  /** Scheme, host and port, and a prefix of the path where there is one. */
  readonly baseUrl: string;
  /** Of one attempt: from the call to the last byte of the answer. */
  readonly timeoutMs: number;
  /** More bytes than this of one answer are refused. */
  readonly maxAnswerBytes: number;
  /** How many requests wait for the REST API at once; the others queue, and their timeout runs while they do. Default 100. */
  readonly connections?: number;
}

/** Sends requests over one pool of connections. Follows no redirects and repeats nothing. */
export class HttpTransport {
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  /**
   * Errors of connecting, known by identity: the code does not tell, since a TLS handshake that was reset and an answer that was
   * lost are both ECONNRESET. The pool says so before the request's own promise rejects with the same error.
   */
  readonly #connectErrors = new WeakSet<Error>();
  /**
   * In front of the pool, whose own queue nobody can leave: after an outage it would open a connection, only to cut it, for
   * each request that had timed out in it.
   */
  readonly #permits: Semaphore;
  /** Before those: however much one user asks for, the others' requests go on beside. */
  readonly #permitsByToken = new Map<string, TokenPermits>();
  readonly #perToken: number;
  #underWay = 0;
  #closed = false;
  /** That nothing is under way any more, for who closes the transport. */
  readonly #idle = Promise.withResolvers<void>();

  /** @throws TypeError where the base URL is none. */
  constructor({ baseUrl, timeoutMs, maxAnswerBytes, connections = DEFAULT_CONNECTIONS }: HttpOptions) {
    const base = new URL(baseUrl);
    this.#prefix = base.pathname.replace(/\/+$/, "");
    this.#timeoutMs = timeoutMs;
    this.#permits = new Semaphore(connections);
    this.#perToken = Math.max(1, Math.ceil(connections / TOKENS_SHARE));
    this.#pool = new Pool(base.origin, {
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

  /** Sends a request once. Never rejects. */
  async attempt(request: HttpRequest): Promise<Outcome> {
    if (this.#closed) return { kind: "closed" };
    this.#underWay++;
    const outcome = await this.#outcomeOf(request);
    this.#underWay--;
    this.#checkIdle();
    return outcome;
  }

  /** Waits for the attempts under way, for no longer than one may take, then closes all connections: what is left is lost. */
  async close(graceMs = this.#timeoutMs): Promise<void> {
    this.#closed = true;
    this.#checkIdle();
    await Promise.race([this.#idle.promise, sleep(graceMs, undefined, { ref: false })]);
    await this.#pool.destroy();
  }

  #checkIdle(): void {
    if (this.#closed && this.#underWay === 0) this.#idle.resolve();
  }

  async #outcomeOf(request: HttpRequest): Promise<Outcome> {
    const deadline = new Deadline(this.#timeoutMs);
    const { token } = request;
    if (!(await this.#admit(token, deadline))) return { kind: "timed-out" };
    const exchange = new Exchange(deadline, () => this.#release(token));
    this.#pool.dispatch(this.#optionsOf(request), exchange);
    const outcome = await exchange.outcome;
    return outcome.kind === "failed" ? { kind: this.#kindOf(outcome.error), error: outcome.error } : outcome;
  }

  /** Takes a permit of both kinds, to be given back with {@link #release}; resolves to whether it could in time. */
  async #admit(token: string, deadline: Deadline): Promise<boolean> {
    const own = this.#permitsOf(token);
    own.users++;
    if (own.permits.tryAcquire() || (await own.permits.acquire(deadline))) {
      if (this.#permits.tryAcquire() || (await this.#permits.acquire(deadline))) return true;
      own.permits.release();
    }
    this.#forget(token, own);
    return false;
  }

  #release(token: string): void {
    this.#permits.release();
    const own = this.#permitsOf(token);
    own.permits.release();
    this.#forget(token, own);
  }

  #forget(token: string, own: TokenPermits): void {
    if (--own.users === 0) this.#permitsByToken.delete(token);
  }

  #permitsOf(token: string): TokenPermits {
    let own = this.#permitsByToken.get(token);
    if (!own) {
      own = { permits: new Semaphore(this.#perToken), users: 0 };
      this.#permitsByToken.set(token, own);
    }
    return own;
  }

  #optionsOf({ method, path, token, body, idempotencyKey, headers }: HttpRequest): Dispatcher.DispatchOptions {
    return {
      method,
      path: `${this.#prefix}${path}`,
      headers: {
        accept: "application/json",
        // Answers are not decoded. Without this header any coding would be welcome.
        "accept-encoding": "identity",
        ...originHeaders(),
        authorization: `Bearer ${token}`,
        // Only with a body: some servers answer 400 to JSON that is announced and does not come.
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    };
  }

  #kindOf(error: unknown): "unconnected" | "lost" | "too-large" {
    if (!(error instanceof Error)) return "lost";
    if (this.#connectErrors.has(error)) return "unconnected";
    return "code" in error && error.code === "UND_ERR_RES_EXCEEDED_MAX_SIZE" ? "too-large" : "lost";
  }
}

/** Who asks, for the API's own log and traces. */
function originHeaders(): Record<string, string> {
  const origin = callOrigin();
  const { traceparent, address } = origin?.client ?? {};
  return {
    "x-request-id": origin?.requestId ?? randomUUID(),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(address === undefined ? {} : { "x-forwarded-for": address }),
  };
}
