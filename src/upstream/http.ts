/** One HTTP request to the REST API: connections, the timeout, the size of an answer. Whether to ask again is `rest-client.ts`'s. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { callOrigin } from "../call-origin.ts";
import type { Log } from "../log.ts";
import type { Tracing } from "../tracing.ts";
import { ApiCircuit, type CircuitState } from "./circuit-breaker.ts";
import { Deadline } from "./deadline.ts";
import type { Outcome } from "./outcome.ts";
import { RequestPool } from "./request-pool.ts";
import { TokenUsers } from "./token-users.ts";

const DEFAULT_CONNECTIONS = 100;

/** Asking whose a token is has connections of its own, so many times fewer: a flood of other requests delays no login, nor the reverse. */
const AUTHENTICATION_SHARE = 4;

/** A request as it is sent. */
export interface HttpRequest {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** Below the base URL, with everything escaped. */
  readonly path: string;
  /** The path as the log names it: with the parameters' names in the place of ids. */
  readonly template: string;
  /** What the metrics know it by, where its template may be one of many. */
  readonly route?: string;
  /** The user's own; every character must be one that a header carries. */
  readonly token: string;
  /** Sent as JSON; undefined: no body. */
  readonly body?: unknown;
  /** The Idempotency-Key header. */
  readonly idempotencyKey?: string;
  /** Over the gateway's own; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it asks whose the token is. */
  readonly isAuthentication?: boolean;
}

export interface HttpOptions {
  /** Scheme, host and port, and a prefix of the path where there is one. */
  readonly baseUrl: string;
  /** Of one attempt: from the call to the last byte of the answer. */
  readonly timeoutMs: number;
  /** More bytes than this of one answer are refused. */
  readonly maxAnswerBytes: number;
  /** How many requests wait for the REST API at once; the others queue, and their timeout runs while they do. Default 100. */
  readonly connections?: number;
  readonly log: Log;
  /** Undefined: no attempt is a span. */
  readonly tracing?: Tracing | undefined;
}

/** What the REST API and the way to it are like now. */
export interface UpstreamStatus {
  readonly circuit: CircuitState;
  /** Requests that are under way. */
  readonly inFlight: number;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

/** Sends requests over two pools of connections. Follows no redirects and repeats nothing. */
export class HttpTransport {
  readonly #requests: RequestPool;
  readonly #authentications: RequestPool;
  readonly #circuit: ApiCircuit;
  readonly #users = new TokenUsers();
  readonly #prefix: string;
  readonly #timeoutMs: number;
  #underWay = 0;
  #closed = false;
  /** That nothing is under way any more, for who closes the transport. */
  readonly #idle = Promise.withResolvers<void>();

  /** @throws TypeError where the base URL is none. */
  constructor({ baseUrl, timeoutMs, maxAnswerBytes, connections = DEFAULT_CONNECTIONS, log }: HttpOptions) {
    const { origin, pathname } = new URL(baseUrl);
    this.#prefix = pathname.replace(/\/+$/, "");
    this.#timeoutMs = timeoutMs;
    this.#circuit = new ApiCircuit(timeoutMs, log);
    const options = { origin, timeoutMs, maxAnswerBytes };
    this.#requests = new RequestPool({ ...options, connections });
    const ofAuthentication = Math.ceil(connections / AUTHENTICATION_SHARE);
    this.#authentications = new RequestPool({ ...options, connections: ofAuthentication });
  }

  get status(): UpstreamStatus {
    return {
      circuit: this.#circuit.state,
      inFlight: this.#requests.inFlight + this.#authentications.inFlight,
      waiting: this.#requests.waiting + this.#authentications.waiting,
    };
  }

  /** Whose requests the token's are: from now on they share what this user may send at a time. */
  identify(token: string, userId: string): void {
    this.#users.learn(token, userId);
  }

  /** Sends a request once. Never rejects. */
  async attempt(request: HttpRequest): Promise<Outcome> {
    if (this.#closed) return { kind: "closed" };
    callOrigin()?.countRequest?.();
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
    await Promise.all([this.#requests.destroy(), this.#authentications.destroy()]);
  }

  #checkIdle(): void {
    if (this.#closed && this.#underWay === 0) this.#idle.resolve();
  }

  async #outcomeOf(request: HttpRequest): Promise<Outcome> {
    // Before anything waits: whoever comes now has to know at once.
    const refusal = this.#refusal();
    if (refusal) return refusal;
    const deadline = new Deadline(this.#timeoutMs);
    const user = this.#users.of(request.token);
    const pool = request.isAuthentication === true ? this.#authentications : this.#requests;
    if (!(await pool.admit(user, deadline))) return { kind: "timed-out" };
    const refusalSince = this.#refusal();
    if (refusalSince) {
      deadline.cancel();
      pool.withdraw(user);
      return refusalSince;
    }
    return this.#circuit.run(() => this.#send(pool, user, request, deadline));
  }

  #refusal(): Outcome | undefined {
    const { retryAfterMs } = this.#circuit;
    return retryAfterMs === undefined ? undefined : { kind: "refused", retryAfterMs };
  }

  async #send(pool: RequestPool, user: string, request: HttpRequest, deadline: Deadline): Promise<Outcome> {
    const outcome = await pool.send(user, this.#optionsOf(request), deadline);
    if (outcome.kind !== "failed") return outcome;
    const { error } = outcome;
    if (pool.neverArrived(error)) return { kind: "unconnected", error };
    return { kind: isTooLarge(error) ? "too-large" : "lost", error };
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
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "UND_ERR_RES_EXCEEDED_MAX_SIZE";
}

/** Who asks, for the API's own log and traces. */
function originHeaders(): Record<string, string> {
  const origin = callOrigin();
  const { traceparent, forwardedFor } = origin?.client ?? {};
  return {
    "x-request-id": origin?.requestId ?? randomUUID(),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }),
  };
}
