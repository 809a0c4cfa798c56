/**
 * The value, or `fallback` where it takes longer than `ms`; what has arrived while this process was held up did not. What is waited for
 * goes on; its later failure is not unhandled. One promise and one timer: every message waits like this several times.
 */
export async function boundedWait<T, F>(ms: number, work: Promise<T>, fallback: F): Promise<T | F> {
  return new Promise<T | F>((resolve, reject) => {
    const timer = setTimeout(giveUpSoon<F>, ms, resolve, fallback);
    work.then(
      (value) => {
        clearTimeout(timer);
        return resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- it is what `work` was rejected with
        reject(error);
      },
    );
  });
}

/** Behind what has arrived. */
function giveUpSoon<F>(resolve: (fallback: F) => void, fallback: F): void {
  setImmediate(resolve, fallback);
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
