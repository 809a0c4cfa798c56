export function derived(compute) {
    const listeners = new Set();
    let value;
    let isNotifying = false;
    return {
        get: () => (value ??= compute()),
        subscribe(call) {
            // The same function may be given twice.
            const listener = () => call();
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
        changed() {
            value = undefined;
            if (isNotifying)
                return;
            isNotifying = true;
            queueMicrotask(() => {
                isNotifying = false;
                listeners.forEach((listener) => listener());
            });
        },
    };
}
/** Adds an item, or removes it. */
export function toggle(items, item, isPart) {
    items[isPart ? "set" : "delete"](item.id, item);
}
//# sourceMappingURL=store.js.map