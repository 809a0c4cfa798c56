/** What a callback was called with, in a queue that a test can wait for. */
export class Inbox<T> {
  /** Everything so far, what was taken included. */
  readonly all: T[] = [];
  #taken = 0;
  #arrived = Promise.withResolvers<void>();

  /** The callback. */
  readonly put = (value: T): void => {
    this.all.push(value);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  };

  /** The oldest that has not been taken, as soon as there is one. */
  async next(): Promise<T> {
    const [value] = await this.take(1);
    return value as T;
  }

  /** The next `count`, as soon as there are so many. */
  async take(count: number): Promise<readonly T[]> {
    const from = this.#taken;
    this.#taken += count;
    while (this.all.length < from + count) await this.#arrived.promise;
    return this.all.slice(from, from + count);
  }
}
