/** Sets of which a process has very many, and which mostly have one element or a few. */

/** Beyond the first. More of them are in a table. */
const MAX_LISTED = 15;

/**
 * As Set, except that few elements take no table, and that iterating may yield what was deleted meanwhile. `undefined` is no element.
 */
export class SmallSet<T> implements Iterable<T> {
  #first: T | undefined;
  /** A list is replaced, not changed: it has just the room that it needs. */
  #others: readonly T[] | Set<T> | undefined;

  get size(): number {
    const others = this.#others;
    return (this.#first === undefined ? 0 : 1) + (others instanceof Set ? others.size : (others?.length ?? 0));
  }

  has(element: T): boolean {
    if (element === this.#first) return element !== undefined;
    const others = this.#others;
    return others instanceof Set ? others.has(element) : others?.includes(element) === true;
  }

  add(element: T): this {
    if (this.has(element)) return this;
    const others = this.#others;
    if (others instanceof Set) others.add(element);
    else if (this.#first === undefined && !others) this.#first = element;
    else if ((others?.length ?? 0) < MAX_LISTED) this.#others = others ? [...others, element] : [element];
    else this.#others = new Set(others).add(element);
    return this;
  }

  /** Whether it was there. */
  delete(element: T): boolean {
    if (!this.has(element)) return false;
    const others = this.#others;
    if (element === this.#first) this.#first = undefined;
    else if (others instanceof Set) {
      others.delete(element);
      if (others.size === 0) this.#others = undefined;
    } else this.#others = others?.length === 1 ? undefined : others?.filter((other) => other !== element);
    return true;
  }

  /** As iterating, without the object that takes: for what runs very often. */
  forEach(callback: (element: T) => void): void {
    const others = this.#others;
    if (this.#first !== undefined) callback(this.#first);
    if (others) for (const element of others) callback(element);
  }

  *[Symbol.iterator](): Generator<T, undefined> {
    const others = this.#others;
    if (this.#first !== undefined) yield this.#first;
    if (others) yield* others;
    return undefined;
  }
}
