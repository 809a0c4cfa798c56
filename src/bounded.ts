/**
 * The value, or `fallback` where it takes longer than `ms`; what has arrived while this process was held up did not. What is waited for
 * goes on; its later failure is not unhandled.
 */
export async function boundedWait<T, F>(ms: number, work: Promise<T>, fallback: F): Promise<T | F> {
  const { promise, resolve } = Promise.withResolvers<F>();
  const timer = setTimeout(() => void setImmediate(resolve, fallback), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** The same promise. It is awaited in a later turn: until then its rejection is not unhandled. */
export function awaitedLater<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

/** Works on each item, on so many at a time. Rejects as soon as one of them does; those that have begun go on. */
export async function boundedEach<T>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const next = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let item = next.next(); !item.done; item = next.next()) await work(item.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
