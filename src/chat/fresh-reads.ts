/** Shares reads that must know everything that has happened before they are asked for. */

interface Read<T> {
  readonly answer: Promise<T>;
  /** Of those who have asked since it began. */
  next: Promise<T> | undefined;
}

export class FreshReads<T> {
  readonly #underWay = new Map<string, Read<T>>();

  /** What a read of `key` comes to that begins now or later. One runs at a time, and those who ask meanwhile share the next. All sharers fail together. */
  read(key: string, start: () => Promise<T>): Promise<T> {
    const read = this.#underWay.get(key);
    if (!read) return this.#begin(key, start);
    const begin = (): Promise<T> => this.#begin(key, start);
    return (read.next ??= read.answer.then(begin, begin));
  }

  #begin(key: string, start: () => Promise<T>): Promise<T> {
    const read: Read<T> = { answer: start(), next: undefined };
    this.#underWay.set(key, read);
    const forget = (): void => {
      if (!read.next) this.#underWay.delete(key);
    };
    read.answer.then(forget, forget);
    return read.answer;
  }
}
