/** When a request to the REST API is repeated, and after how long. */
import type { HttpRequest } from "./http.ts";
import type { Outcome } from "./outcome.ts";

/**
 * Whether the same request may be sent again after `outcome`. GET, PUT and DELETE may after a failed connection, 429 and 5xx; POST and PATCH only where it
 * certainly was not processed (no connection, 429, 503), unless `idempotentPosts`: then it is like the others. A timeout is
 * never followed by another attempt, so that the client's wait stays bounded; nor is any other 4xx.
 */
export function mayRepeat(method: HttpRequest["method"], outcome: Outcome, idempotentPosts: boolean): boolean {
  const harmless = (method !== "POST" && method !== "PATCH") || idempotentPosts;
  switch (outcome.kind) {
    case "unconnected":
      return true;
    case "lost":
      return harmless;
    case "answered":
      return outcome.status === 429 || outcome.status === 503 || (harmless && outcome.status >= 500);
    default:
      return false;
  }
}

/** What `Retry-After` asks for, in ms from `nowMs`: whole seconds or an HTTP date; undefined where it is absent or neither. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  // Every form of an HTTP date begins with the day of the week; `Date.parse` alone takes much else for a date.
  const at = /^[a-z]{3}/i.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** How long to wait after the `failures`-th failure: exponential with full jitter, at most `maxMs`. */
export function backoff(failures: number, baseMs: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** (failures - 1));
}
