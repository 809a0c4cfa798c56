/** The circuit breaker of one REST API: after repeated timeouts requests fail at once, until one of them is answered again. */
import { CircuitState as State, circuitBreaker, ConsecutiveBreaker, handleWhenResult } from "cockatiel";
import type { Log } from "../log.ts";
import type { Outcome } from "./outcome.ts";

/** `open`: requests fail at once. `half-open`: they do, but for one, whose answer decides. */
export type CircuitState = "closed" | "open" | "half-open";

/** So many requests in succession without an answer in time open the circuit. */
const MAX_TIMEOUTS = 5;

/** The longest time that passes before a request is let through again. */
const MAX_OPEN_MS = 1000;

/** How an attempt ended, and whether the API had enough time for it. */
interface Attempt {
  readonly outcome: Outcome;
  readonly isTimeout: boolean;
}

export class ApiCircuit {
  readonly #log: Log;
  readonly #timeoutMs: number;
  readonly #openMs: number;
  readonly #policy;
  #openedAt = 0;

  /** @param timeoutMs of one request. */
  constructor(timeoutMs: number, log: Log) {
    this.#log = log;
    this.#timeoutMs = timeoutMs;
    this.#openMs = Math.min(MAX_OPEN_MS, timeoutMs);
    this.#policy = circuitBreaker(handleWhenResult(isTimeout), {
      halfOpenAfter: this.#openMs,
      breaker: new ConsecutiveBreaker(MAX_TIMEOUTS),
    });
    this.#policy.onBreak(() => this.#opened());
    this.#policy.onReset(() => log.info("the REST API answers again"));
  }

  get state(): CircuitState {
    switch (this.#policy.state) {
      case State.Open:
        return "open";
      case State.HalfOpen:
        return "half-open";
      default:
        return "closed";
    }
  }

  /** Milliseconds until a request is worth another try; undefined where requests are let through. */
  get retryAfterMs(): number | undefined {
    // The library would have the others wait for the request that is under way.
    if (this.#policy.state === State.HalfOpen) return this.#openMs;
    if (this.#policy.state !== State.Open) return undefined;
    const remainingMs = this.#openedAt + this.#openMs - Date.now();
    return remainingMs > 0 ? remainingMs : undefined;
  }

  /** Sends a request, whose outcome counts. Call it in the same turn in which {@link retryAfterMs} was undefined. */
  async run(send: () => Promise<Outcome>): Promise<Outcome> {
    const { outcome } = await this.#policy.execute(async (): Promise<Attempt> => {
      const startedAt = performance.now();
      const sent = await send();
      // One that waited for a connection had only what was left of its time.
      const hadTime = performance.now() - startedAt >= this.#timeoutMs / 2;
      return { outcome: sent, isTimeout: isUnanswered(sent) && hadTime };
    });
    return outcome;
  }

  #opened(): void {
    this.#openedAt = Date.now();
    this.#log.warn({ timeouts: MAX_TIMEOUTS }, "the REST API does not answer; requests to it fail at once");
  }
}

function isTimeout(result: unknown): boolean {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `run` executes anything
  return (result as Attempt).isTimeout;
}

function isUnanswered(outcome: Outcome): boolean {
  if (outcome.kind === "timed-out") return true;
  const { error } = outcome.kind === "unconnected" ? outcome : { error: undefined };
  return error instanceof Error && "code" in error && error.code === "UND_ERR_CONNECT_TIMEOUT";
}
