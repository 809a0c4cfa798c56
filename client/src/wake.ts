interface Page {
  addEventListener?(type: string, listener: (event: { readonly type: string }) => void, options: object): void;
  readonly navigator?: { readonly onLine?: boolean };
}

/**
 * Calls `listener` now, and whenever the device or the page may be back: network, a page that is shown, that leaves the back/forward
 * cache. Where there is no page it is called once.
 *
 * @param listener receives whether the browser takes the device for online, and whether it has just lost the network.
 */
export function onWake(listener: (isOnline: boolean, isLost: boolean) => void, signal: AbortSignal): void {
  const page: Page = globalThis;
  const wake = (event?: { readonly type: string }): void =>
    listener(page.navigator?.onLine !== false, event?.type === "offline");
  wake();
  for (const name of ["online", "offline", "pageshow", "visibilitychange"]) {
    page.addEventListener?.(name, wake, { signal });
  }
}
