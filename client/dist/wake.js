/**
 * Calls `listener` with true whenever the device or the page may be back: network, a page that is shown, that leaves the
 * back/forward cache; with false when the network is gone. Does nothing where there is no page.
 */
export function onWake(listener, signal) {
    const page = globalThis;
    for (const name of ["online", "offline", "pageshow", "visibilitychange"]) {
        page.addEventListener?.(name, () => listener(page.navigator?.onLine !== false), { signal });
    }
}
//# sourceMappingURL=wake.js.map