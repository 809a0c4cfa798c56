/** What a client accepts, as RFC 9110 says it. */

/**
 * An Accept header with its media ranges in the order of their quality, those of the same as they are, and those of quality 0 left out:
 * for whoever looks at the order alone.
 */
export function byQuality(accept: string): string {
  const ranges = accept
    .split(",")
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
