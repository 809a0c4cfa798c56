/**
 * Calls `listener` now, and whenever the device or the page may be back: network, a page that is shown, that leaves the back/forward
 * cache. Where there is no page it is called once.
 *
 * @param listener receives whether the browser takes the device for online, and whether it has just lost the network.
 */
export function onWake(listener, signal) {
    const page = globalThis;
    const wake = (event) => listener(page.navigator?.onLine !== false, event?.type === "offline");
    wake();
    for (const name of ["online", "offline", "pageshow", "visibilitychange"]) {
        page.addEventListener?.(name, wake, { signal });
    }
}
//# sourceMappingURL=wake.js.map