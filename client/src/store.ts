/** A value that can be read at any time, and that says when it has changed. Both functions may be used without their object. */
export interface Store<T> {
  /** The same object until the value changes. */
  readonly get: () => T;
  /** Calls `listener` once for all changes of a turn. The result ends that. */
  readonly subscribe: (listener: () => void) => () => void;
}

/** A store whose value is computed when somebody asks for it after a change. */
export interface Derived<T> extends Store<T> {
  readonly changed: () => void;
}

export function derived<T>(compute: () => T): Derived<T> {
  const listeners = new Set<() => void>();
  let value: T | undefined;
  let isNotifying = false;
  return {
    get: () => (value ??= compute()),
    subscribe(call) {
      // The same function may be given twice.
      const listener = (): void => call();
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    changed() {
      value = undefined;
      if (isNotifying) return;
      isNotifying = true;
      queueMicrotask(() => {
        isNotifying = false;
        listeners.forEach((listener) => listener());
      });
    },
  };
}

/** Adds an item, or removes it. */
export function toggle<T extends { readonly id: string }>(items: Map<string, T>, item: T, isPart: boolean): void {
  items[isPart ? "set" : "delete"](item.id, item);
}
