/** A store whose value is computed when somebody asks for it after a change. */
export class Derived {
    #compute;
    #listeners = new Set();
    #value;
    #isNotifying = false;
    constructor(compute) {
        this.#compute = compute;
    }
    get = () => (this.#value ??= this.#compute());
    subscribe = (call) => {
        // The same function may be given twice.
        const listener = () => call();
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    };
    changed() {
        this.#value = undefined;
        if (this.#isNotifying)
            return;
        this.#isNotifying = true;
        queueMicrotask(() => {
            this.#isNotifying = false;
            for (const listener of this.#listeners)
                listener();
        });
    }
}
/** Adds an item, or removes it. */
export function toggle(items, item, isPart) {
    if (isPart)
        items.set(item.id, item);
    else
        items.delete(item.id);
}
//# sourceMappingURL=store.js.map