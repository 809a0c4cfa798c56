/** Instants as texts whose order is the order of the times. */

/**
 * An instant in any form that `Date` reads, as ISO 8601, UTC. `full` keeps the digits beyond milliseconds, where there are any. Undefined
 * where the text is no instant, or one of a year of more than four digits, which would be out of order as a text.
 */
export function normaliseInstant(value: string, precision: "milliseconds" | "full"): string | undefined {
  // Most are in that form already; there are tens of thousands in a long list.
  if (CANONICAL.test(value)) return value;
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return undefined;
  const normalised = date.toISOString();
  if (!/^\d{4}-/.test(normalised)) return undefined;
  const finer = precision === "full" ? digitsBeyondMilliseconds(value) : "";
  return finer === "" ? normalised : `${normalised.slice(0, -1)}${finer}Z`;
}

/** An instant of {@link normaliseInstant} in milliseconds. */
export function toMilliseconds(instant: string): string {
  return instant.length === MILLISECOND_LENGTH ? instant : `${instant.slice(0, MILLISECOND_LENGTH - 1)}Z`;
}

/** Negative where `a` is earlier; both are instants of {@link normaliseInstant}. */
export function compareInstants(a: string, b: string): number {
  if (a === b) return 0;
  if (a.length === b.length) return a < b ? -1 : 1;
  // Without the Z a text that has more digits is greater than its own beginning.
  return a.slice(0, -1) < b.slice(0, -1) ? -1 : 1;
}

/** Of days that every month has. */
const CANONICAL = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

const MILLISECOND_LENGTH = "2026-01-31T09:30:00.000Z".length;

function digitsBeyondMilliseconds(value: string): string {
  return (/:\d\d[.,]\d{3}(\d+)/.exec(value)?.[1] ?? "").replace(/0+$/, "");
}
