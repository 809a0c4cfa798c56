/** Caches of a bounded number of entries, of which the one that was used longest ago goes first. */
import { LRUCache } from "lru-cache";

type BoundedCacheOptions<Key, Value, Context> = Omit<
  LRUCache.OptionsBase<Key, Value, Context>,
  "maxSize" | "maxEntrySize" | "sizeCalculation" | "max" | "ttlResolution"
> & { readonly max: number };

/**
 * As `new LRUCache(options)`, which reserves room for `max` entries at the start: 3 MB and 5 ms for 100,000. This cache grows with its
 * entries.
 */
export function createBoundedCache<Key extends string, Value extends {}, Context = unknown>({
  max,
  ...options
}: BoundedCacheOptions<Key, Value, Context>): LRUCache<Key, Value, Context> {
  // To remember the present for a millisecond takes a timer, which costs more than to ask for the time a few times.
  return new LRUCache<Key, Value, Context>({ ...options, maxSize: max, sizeCalculation: one, ttlResolution: 0 });
}

function one(): number {
  return 1;
}
