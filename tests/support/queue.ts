/** Events in the order of their arrival, for a test to take one by one. */
export class Queue<Item> {
  readonly #arrived: Item[] = [];
  #wanted: PromiseWithResolvers<Item>[] = [];
  #end: { readonly error: Error } | undefined;

  push(item: Item): void {
    const wanted = this.#wanted.shift();
    if (wanted) wanted.resolve(item);
    else this.#arrived.push(item);
  }

  /** Nothing more comes: who waits, and whoever asks after the last item was taken, is told `error`. */
  end(error: Error = new Error("nothing more comes")): void {
    this.#end ??= { error };
    for (const { reject } of this.#wanted) reject(this.#end.error);
    this.#wanted = [];
  }

  next(): Promise<Item> {
    const [item] = this.#arrived.splice(0, 1);
    if (item !== undefined) return Promise.resolve(item);
    if (this.#end) return Promise.reject(this.#end.error);
    const wanted = Promise.withResolvers<Item>();
    this.#wanted.push(wanted);
    return wanted.promise;
  }
}
