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

export interface Ratio {
  /** Geometric. */
  readonly mean: number;
  /** The ends of the 95 % confidence interval of the mean; absent of a single ratio. */
  readonly low?: number;
  readonly high?: number;
}

/** Of positive numbers; NaN where there is none. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(meanOf(values.map(Math.log)));
}

/**
 * What independent ratios say together. Their logarithms are taken as normally distributed, with Student's t for their number: three rounds
 * give a wide interval, as they should. Undefined of nothing.
 */
export function ratioOf(ratios: readonly number[]): Ratio | undefined {
  if (ratios.length === 0) return undefined;
  const mean = geometricMean(ratios);
  if (ratios.length === 1) return { mean };
  const logs = ratios.map(Math.log);
  const freedom = logs.length - 1;
  const variance = logs.reduce((sum, log) => sum + (log - Math.log(mean)) ** 2, 0) / freedom;
  const half = (T_975[freedom - 1] ?? T_975_BEYOND) * Math.sqrt(variance / logs.length);
  return { mean, low: mean * Math.exp(-half), high: mean * Math.exp(half) };
}

/** The 97.5th percentile of Student's t with 1, 2, 3, … degrees of freedom. */
const T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131];
/** With more degrees of freedom: the interval is then a little wider than it has to be. */
const T_975_BEYOND = 2.12;

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
