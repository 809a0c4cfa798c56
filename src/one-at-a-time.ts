/** Runs what belongs to one key one at a time, in the order of the calls. */
export class OneAtATime<Key extends object> {
  readonly #last = new WeakMap<Key, Promise<unknown>>();

  /** Resolves and rejects as `work`, which begins when the call before it is over, however that ended. */
  run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const done = runAfter(this.#last.get(key), work);
    this.#last.set(key, done);
    return done;
  }
}

async function runAfter<T>(before: Promise<unknown> | undefined, work: () => Promise<T>): Promise<T> {
  await before?.catch(() => undefined);
  return work();
}
