/** What a client accepts, as RFC 9110 says it. */

/** More than any client sends. Yoga compares each with what it can answer, and repeats that for each where it can answer none of them. */
const MAX_RANGES = 32;

/**
 * The first 32 media ranges of an Accept header in the order of their quality, those of the same as they are, and those of quality 0 left out:
 * for whoever looks at the order alone.
 */
export function byQuality(accept: string): string {
  const ranges = accept
    .split(",", MAX_RANGES)
    .map((range) => ({ range: range.trim(), quality: qualityOf(range) }))
    .filter(({ range, quality }) => range !== "" && quality > 0);
  return ranges
    .toSorted((a, b) => b.quality - a.quality)
    .map(({ range }) => range)
    .join(", ");
}

function qualityOf(range: string): number {
  const given = /;\s*q\s*=\s*([\d.]+)/i.exec(range)?.[1];
  const quality = given === undefined ? 1 : Number(given);
  return Number.isNaN(quality) ? 1 : quality;
}
