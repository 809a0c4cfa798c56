interface Page {
  addEventListener?(type: string, listener: () => void, options: object): void;
  readonly navigator?: { readonly onLine?: boolean };
}

/**
 * Calls `listener` with true whenever the device or the page may be back: network, a page that is shown, that leaves the
 * back/forward cache; with false when the network is gone. Does nothing where there is no page.
 */
export function onWake(listener: (isOnline: boolean) => void, signal: AbortSignal): void {
  const page: Page = globalThis;
  for (const name of ["online", "offline", "pageshow", "visibilitychange"]) {
    page.addEventListener?.(name, () => listener(page.navigator?.onLine !== false), { signal });
  }
}
