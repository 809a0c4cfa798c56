/** A store whose value is computed when somebody asks for it after a change. */
export class Derived {
    #compute;
    /** Objects, since the same function may be given twice. */
    #listeners = new Set();
    #value;
    #isNotifying = false;
    constructor(compute) {
        this.#compute = compute;
    }
    get = () => (this.#value ??= this.#compute());
    subscribe = (call) => {
        const listener = { call };
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
            for (const { call } of this.#listeners)
                call();
        });
    }
}
