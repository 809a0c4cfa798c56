/** How an attempt to send a request ended. */
import type { HttpAnswer } from "./exchange.ts";

/**
 * How one attempt ended. `unconnected`: no connection, so the request certainly was not processed. `lost`: the connection failed, and nobody
 * knows whether it was. `too-large`: an answer over `maxAnswerBytes`. `closed`: the transport is, and nothing was sent. `refused`: neither
 * was, since the circuit breaker is open.
 */
export type Outcome =
  | HttpAnswer
  | { readonly kind: "timed-out" | "closed" }
  | { readonly kind: "refused"; readonly retryAfterMs: number }
  | { readonly kind: "unconnected" | "lost" | "too-large"; readonly error: unknown };
