/** Asks the REST API: repeats what may be repeated, shares equal reads, and puts what goes wrong into the catalogue's words. */
import { setTimeout as sleep } from "node:timers/promises";
import { callOrigin, inTrace, onBehalfOf } from "../call-origin.ts";
import { GatewayError } from "../errors.ts";
import type { Tracing } from "../tracing.ts";
import type { HttpAnswer } from "./exchange.ts";
import { HttpTransport, type HttpOptions, type HttpRequest, type UpstreamStatus } from "./http.ts";
import type { Outcome } from "./outcome.ts";
import { backoff, mayRepeat, retryAfterMs } from "./retry.ts";
import { SingleFlight } from "./single-flight.ts";
import { UpstreamStatistics } from "./statistics.ts";

export interface RestClientOptions extends HttpOptions {
  /** Of one request, the first included. */
  readonly attempts: number;
  /** Whether the REST API honours Idempotency-Key, so that a POST may be repeated whenever a PUT may. */
  readonly idempotentPosts: boolean;
  /** The longest wait before the second attempt; it doubles with each, up to `timeoutMs`. Default 100. */
  readonly backoffMs?: number;
}

/** Answers of any status; {@link unavailable} and UPSTREAM_TIMEOUT where none came. */
export class RestClient {
  readonly #transport: HttpTransport;
  readonly #options: RestClientOptions & { readonly backoffMs: number };
  readonly statistics = new UpstreamStatistics();
  readonly #reads = new SingleFlight<HttpAnswer>();
  readonly #closing = new AbortController();

  constructor(options: RestClientOptions) {
    this.#transport = new HttpTransport(options);
    this.#options = { backoffMs: 100, ...options };
  }

  get status(): UpstreamStatus {
    return this.#transport.status;
  }

  /** Whose the token is: the user's requests are admitted in turn with those of other users. */
  identify(token: string, userId: string): void {
    this.#transport.identify(token, userId);
  }

  /**
   * Sends a request. Equal GETs of one token under way share an answer, but not with one that began before the same token's last
   * write ended: who has written reads what was written.
   *
   * A timeout is not followed by another attempt. A `Retry-After` over `timeoutMs` is not waited for either: the caller gets it
   * as `retryAfterMs` at once. Nor does anybody wait while the circuit breaker is open.
   *
   * @throws GatewayError UPSTREAM_TIMEOUT, UPSTREAM_UNAVAILABLE
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    if (request.method === "GET") {
      return this.#reads.join(request.token, request.path, () => this.#ask(request));
    }
    try {
      return await this.#ask(request);
    } finally {
      this.#reads.detach(request.token);
    }
  }

  /** What is read with this token from now on shares no answer of a request that is under way. */
  detachReads(token: string): void {
    this.#reads.detach(token);
  }

  /**
   * Ends after the attempts under way, `graceMs` at most (`timeoutMs` where absent), without beginning others. Requests fail with
   * UPSTREAM_UNAVAILABLE from now on. Calling it again is harmless.
   */
  async close(graceMs?: number): Promise<void> {
    this.#closing.abort();
    await this.#transport.close(graceMs);
  }

  async #ask(request: HttpRequest): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt++) {
      const startedAt = performance.now();
      const { tracing } = this.#options;
      const outcome = await (tracing ? this.#trace(tracing, request, attempt) : this.#transport.attempt(request));
      this.statistics.note(routeOf(request), outcome, startedAt);
      if (!(await this.#waitToRepeat(request, outcome, attempt))) return this.#conclude(request, outcome);
    }
  }

  /** An attempt, as a span of whatever trace it is a part of; the REST API is told of it. */
  async #trace(tracing: Tracing, request: HttpRequest, attempt: number): Promise<Outcome> {
    const { method, template } = request;
    const origin = callOrigin();
    const span = tracing.start(routeOf(request), {
      kind: "client",
      parent: origin?.client?.traceparent,
      attributes: {
        "http.request.method": method,
        "url.template": template,
        "http.request.resend_count": attempt > 1 ? attempt - 1 : undefined,
      },
    });
    const outcome = await onBehalfOf(inTrace(origin, span.traceparent), () => this.#transport.attempt(request));
    const status = outcome.kind === "answered" ? outcome.status : undefined;
    const error = status === undefined ? outcome.kind : status >= 400 ? String(status) : undefined;
    span.end({ "http.response.status_code": status }, error);
    return outcome;
  }

  /** Whether another attempt is to be made; where it is, not before the time for it has come. */
  async #waitToRepeat(request: HttpRequest, outcome: Outcome, attempt: number): Promise<boolean> {
    const { attempts, idempotentPosts, backoffMs, timeoutMs, log } = this.#options;
    if (attempt >= attempts || !mayRepeat(request.method, outcome, idempotentPosts)) return false;
    const waitMs = Math.max(backoff(attempt, backoffMs, timeoutMs), requestedWaitMs(outcome) ?? 0);
    if (waitMs > timeoutMs) return false;
    const { method, template } = request;
    this.statistics.retries.add(routeOf(request));
    log.info(
      { method, path: template, attempt, waitMs: Math.round(waitMs), outcome: this.#describe(outcome) },
      "asking the REST API again",
    );
    return sleep(waitMs, true, { signal: this.#closing.signal }).catch(() => false);
  }

  #conclude(request: HttpRequest, outcome: Outcome): HttpAnswer {
    if (outcome.kind === "answered") return outcome;
    if (outcome.kind === "timed-out") {
      const cause = new Error(`${request.method} ${request.template}: no answer within ${this.#options.timeoutMs} ms`);
      throw new GatewayError("UPSTREAM_TIMEOUT", { cause });
    }
    throw unavailable(request, this.#describe(outcome), {
      ...("error" in outcome ? { cause: outcome.error } : {}),
      ...("retryAfterMs" in outcome ? { retryAfterMs: outcome.retryAfterMs } : {}),
    });
  }

  #describe(outcome: Outcome): string {
    switch (outcome.kind) {
      case "answered":
        return `answered ${outcome.status}`;
      case "timed-out":
        return "timed out";
      case "unconnected":
        return `could not connect (${nameOf(outcome.error)})`;
      case "lost":
        return `the connection was lost (${nameOf(outcome.error)})`;
      case "too-large":
        return `the answer is over ${this.#options.maxAnswerBytes} bytes (HTTP_API_MAX_RESPONSE)`;
      case "refused":
        return "not sent, since the API has not answered for a while";
      default:
        return "the client of the REST API is closed";
    }
  }
}

/** What the metrics know a request by. */
function routeOf({ route, method, template }: HttpRequest): string {
  return route ?? `${method} ${template}`;
}

/** The longest wait that clients are told. Beyond 24 days their timers would fire at once. */
const MAX_TOLD_MS = 3_600_000;

/** What clients are told to wait. Undefined where that is no time at all: they would ask again and again without their own pauses. */
function toldWait(waitMs: number | undefined): number | undefined {
  return waitMs === undefined || waitMs <= 0 ? undefined : Math.ceil(Math.min(waitMs, MAX_TOLD_MS));
}

/** An UPSTREAM_UNAVAILABLE whose cause says which request it was and what was wrong, without the ids, the token or the content. */
export function unavailable(
  request: Pick<HttpRequest, "method" | "template">,
  what: string,
  details: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
): GatewayError {
  const message = `${request.method} ${request.template}: ${what}`;
  const waitMs = toldWait(details.retryAfterMs);
  return new GatewayError("UPSTREAM_UNAVAILABLE", {
    cause: details.cause === undefined ? new Error(message) : new Error(message, { cause: details.cause }),
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  });
}

/** What the answer's `Retry-After` asks for, in ms from now. */
export function requestedWaitMs(outcome: Outcome): number | undefined {
  return outcome.kind === "answered" ? retryAfterMs(outcome.retryAfter, Date.now()) : undefined;
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
