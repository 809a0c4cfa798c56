/** A value that can be read at any time, and that says when it has changed. Both functions may be used without their object. */
export interface Store<T> {
  /** The same object until the value changes. */
  readonly get: () => T;
  /** Calls `listener` once for all changes of a turn. The result ends that. */
  readonly subscribe: (listener: () => void) => () => void;
}

/** A store whose value is computed when somebody asks for it after a change. */
export class Derived<T> implements Store<T> {
  readonly #compute: () => T;
  readonly #listeners = new Set<() => void>();
  #value: T | undefined;
  #isNotifying = false;

  constructor(compute: () => T) {
    this.#compute = compute;
  }

  readonly get = (): T => (this.#value ??= this.#compute());

  readonly subscribe = (call: () => void): (() => void) => {
    // The same function may be given twice.
    const listener = (): void => call();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  changed(): void {
    this.#value = undefined;
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      for (const listener of this.#listeners) listener();
    });
  }
}

/** Adds an item, or removes it. */
export function toggle<T extends { readonly id: string }>(items: Map<string, T>, item: T, isPart: boolean): void {
  if (isPart) items.set(item.id, item);
  else items.delete(item.id);
}
