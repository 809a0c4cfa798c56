/** Ids of values that the REST API gives none, so that normalised caches keep one copy of each. */

/** One text for two opaque ids; two different pairs never give the same. */
export function pairId(one: string, other: string): string {
  return `${escaped(one)}:${escaped(other)}`;
}

function escaped(id: string): string {
  return id.replaceAll("%", "%25").replaceAll(":", "%3A");
}
