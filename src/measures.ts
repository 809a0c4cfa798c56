/** Counters in plain fields: counting costs an addition, and whoever is interested reads them. */

/** Counts what happened, by a label of a small set. */
export class Counts<Label extends string = string> {
  readonly #counts: Map<Label, number>;

  /** @param labels are there from the start, at 0. */
  constructor(labels: Iterable<Label> = []) {
    this.#counts = new Map(Array.from(labels, (label) => [label, 0]));
  }

  add(label: Label, count = 1): void {
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + count);
  }

  get(label: Label): number {
    return this.#counts.get(label) ?? 0;
  }

  get total(): number {
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  [Symbol.iterator](): Iterator<readonly [Label, number]> {
    return this.#counts.entries();
  }
}

/** How long something took, in seconds: how often it took at most each of some bounds. */
export class Durations {
  /** Upper bounds of the buckets, ascending, in seconds. */
  readonly bounds: readonly number[];
  /** By bucket, how many were over the bound before and not over its own; the last is of those over all bounds. */
  readonly counts: number[];
  /** Of all that were observed, in seconds. */
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && seconds > (this.bounds[bucket] ?? Infinity)) bucket++;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += seconds;
    this.count++;
  }

  /** As {@link observe}, of something that began then, as `performance.now()` tells it. */
  observeSince(startMs: number): void {
    this.observe((performance.now() - startMs) / 1000);
  }
}
