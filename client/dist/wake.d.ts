/**
 * Calls `listener` now, and whenever the device or the page may be back: network, a page that is shown, that leaves the back/forward
 * cache. Where there is no page it is called once.
 *
 * @param listener receives whether the browser takes the device for online, and whether it has just lost the network.
 */
export declare function onWake(listener: (isOnline: boolean, isLost: boolean) => void, signal: AbortSignal): void;
