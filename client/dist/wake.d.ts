/**
 * Calls `listener` with true whenever the device or the page may be back: network, a page that is shown, that leaves the
 * back/forward cache; with false when the network is gone. Does nothing where there is no page.
 */
export declare function onWake(listener: (isOnline: boolean) => void, signal: AbortSignal): void;
