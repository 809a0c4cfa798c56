import { vi } from "vitest";

/**
 * What `check` returns as soon as it does not throw; it is called again and again until then. After `patienceMs` its last error is thrown.
 *
 * `vi.waitFor` gives up after 1 s, which a healthy gateway on a busy machine may exceed.
 */
export function eventually<Result>(check: () => Promise<Result> | Result, patienceMs = 30_000): Promise<Result> {
  // oxlint-disable-next-line vitest/no-restricted-vi-methods -- with a timeout of its own
  return vi.waitFor(check, { timeout: patienceMs, interval: 20 });
}
