/** @param ascending sorted; NaN where it is empty. */
export function quantile(ascending: Float64Array, share: number): number {
  const index = Math.min(ascending.length - 1, Math.ceil(ascending.length * share) - 1);
  return ascending[Math.max(0, index)] ?? Number.NaN;
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Undefined of nothing. */
export function summarise(values: readonly number[]): Summary | undefined {
  const ascending = Float64Array.from(values).toSorted();
  const [min, max] = [ascending[0], ascending.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const upper = ascending[Math.floor(ascending.length / 2)] ?? min;
  const lower = ascending[Math.floor((ascending.length - 1) / 2)] ?? min;
  return { median: (lower + upper) / 2, min, max };
}
