/** One HTTP request to the REST API: connections, the timeout, the size of an answer. Whether to ask again is `rest-client.ts`'s. */
import { setTimeout as sleep } from "node:timers/promises";
import { Pool, type Dispatcher } from "undici";
import { Semaphore } from "./semaphore.ts";

/** More bytes than this of one answer are refused. */
export const MAX_ANSWER_BYTES = 5_000_000;

const DEFAULT_CONNECTIONS = 100;

/** What part of the connections the requests of one token may take up. */
const TOKENS_SHARE = 8;

interface TokenPermits {
  readonly permits: Semaphore;
  /** Requests that have or want one. */
  users: number;
}

/** A request as it is sent. */
export interface HttpRequest {
  readonly method: "GET" | "PUT" | "POST";
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
}

/** An answer, whatever its status. */
export interface HttpAnswer {
  readonly kind: "answered";
  readonly status: number;
  /** Read for 2xx and 400 alone, the only ones whose body anybody looks at. */
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/**
 * How one attempt ended. `unconnected`: no connection, so the request certainly was not processed. `lost`: the connection failed, and nobody
 * knows whether it was. `too-large`: an answer over {@link MAX_ANSWER_BYTES}. `closed`: the transport is, and nothing was sent.
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
  readonly #underWay = new Set<Promise<Outcome>>();
  #closed = false;

  /** @throws TypeError where the base URL is none. */
  constructor({ baseUrl, timeoutMs, connections = DEFAULT_CONNECTIONS }: HttpOptions) {
    const base = new URL(baseUrl);
    this.#prefix = base.pathname.replace(/\/+$/, "");
    this.#timeoutMs = timeoutMs;
    this.#permits = new Semaphore(connections);
    this.#perToken = Math.max(1, Math.ceil(connections / TOKENS_SHARE));
    this.#pool = new Pool(base.origin, {
      connections,
      maxResponseSize: MAX_ANSWER_BYTES,
      // The attempt's own timeout is the only one, but for connecting: a host that swallows packets leaves time to try another way in.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: Math.ceil(timeoutMs / 2),
      // Over HTTP/2 undici repeats by itself what a GOAWAY refused.
      allowH2: false,
    });
    this.#pool.on("connectionError", (_origin, _targets, error) => this.#connectErrors.add(error));
  }

  /** Sends a request once. Never rejects. */
  async attempt(request: HttpRequest): Promise<Outcome> {
    if (this.#closed) return { kind: "closed" };
    const attempt = this.#outcomeOf(request);
    this.#underWay.add(attempt);
    try {
      return await attempt;
    } finally {
      this.#underWay.delete(attempt);
    }
  }

  /** Waits for the attempts under way, for no longer than one may take, then closes all connections: what is left is lost. */
  async close(graceMs = this.#timeoutMs): Promise<void> {
    this.#closed = true;
    await Promise.race([Promise.all(this.#underWay), sleep(graceMs, undefined, { ref: false })]);
    await this.#pool.destroy();
  }

  async #outcomeOf(request: HttpRequest): Promise<Outcome> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      // undici looks at the signal only once a connection is there; one that does not come about would outlast it.
      return await Promise.race([this.#admitted(request, signal), rejectionOn(signal)]);
    } catch (error) {
      return signal.aborted ? { kind: "timed-out" } : { kind: this.#kindOf(error), error };
    }
  }

  async #admitted(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const own = this.#permitsOf(request.token);
    own.users++;
    try {
      await own.permits.acquire(signal);
      try {
        await this.#permits.acquire(signal);
        try {
          return await this.#exchange(request, signal);
        } finally {
          this.#permits.release();
        }
      } finally {
        own.permits.release();
      }
    } finally {
      if (--own.users === 0) this.#permitsByToken.delete(request.token);
    }
  }

  #permitsOf(token: string): TokenPermits {
    let own = this.#permitsByToken.get(token);
    if (!own) {
      own = { permits: new Semaphore(this.#perToken), users: 0 };
      this.#permitsByToken.set(token, own);
    }
    return own;
  }

  async #exchange(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { statusCode: status, headers, body } = await this.#pool.request({ ...this.#optionsOf(request), signal });
    const retryAfter = headers["retry-after"];
    return {
      kind: "answered",
      status,
      text: await readText(status, body),
      retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
    };
  }

  #optionsOf({ method, path, token, body, idempotencyKey }: HttpRequest): Dispatcher.RequestOptions {
    return {
      method,
      path: `${this.#prefix}${path}`,
      headers: {
        accept: "application/json",
        authorization: `Bearer ${token}`,
        // Only with a body: some servers answer 400 to JSON that is announced and does not come.
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
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

async function readText(status: number, body: Dispatcher.ResponseData["body"]): Promise<string> {
  if (status >= 200 && status < 300) return body.text();
  // It is refused either way; without its sentence where that got lost.
  if (status === 400) return body.text().catch(() => "");
  // Read away, so that the connection can be used again, but not waited for: the status says it all. The timeout ends this too.
  void body.dump();
  return "";
}

function rejectionOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("timed out", { cause: signal.reason })), { once: true });
  });
}
