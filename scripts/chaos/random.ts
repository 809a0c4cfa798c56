/** Chance that can be repeated. */
export interface Random {
  /** From 0 to below 1. */
  next(): number;
  /** One of them. */
  pick<T>(items: readonly [T, ...T[]]): T;
  between(low: number, high: number): number;
}

/** The same seed gives the same numbers (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
    between: (low, high) => low + next() * (high - low),
  };
}
