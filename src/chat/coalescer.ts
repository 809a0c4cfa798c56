/** Equal work, of which one is under way at a time. */

interface Flight<T> {
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>;
  next: Promise<T> | undefined;
}

/**
 * Whoever asks while equal work is under way shares the next one: what is under way may have begun before something that it is asked to
 * be about. However many ask, no more than two follow one another.
 */
export class Coalescer<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** Rejects as the work does. @param key tells what is equal. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const underWay = this.#flights.get(key);
    if (!underWay) return this.#start(key, work);
    underWay.next ??= underWay.ended.then(() => this.#start(key, work));
    return underWay.next;
  }

  #start(key: string, work: () => Promise<T>): Promise<T> {
    const result = work();
    const flight: Flight<T> = { ended: result.then(nothing, nothing), next: undefined };
    this.#flights.set(key, flight);
    // The next one has taken its place by then, where there is one.
    const forget = (): void => {
      if (!flight.next && this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    void flight.ended.then(forget);
    return result;
  }
}

function nothing(): void {}
