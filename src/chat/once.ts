/** What must be done once, however many ask for it, on however many instances. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SharedState } from "../bus/bus.ts";

interface OnceOptions<T> {
  readonly state: SharedState;
  readonly key: string;
  /** A caller that has begun and has not renewed its claim for this long counts as dead: the next one begins anew. */
  readonly pendingMs: number;
  /** How long the result is given back to who asks again. */
  readonly ttlMs: number;
  readonly work: () => Promise<T>;
}

const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;

/**
 * Does the work, or waits for who is doing it, or gives back what came of it. After a failure the next one who asks does it. `T` is
 * JSON.
 *
 * Rejects as the work does, and with BusUnavailable where nobody can tell whether it has been done.
 */
export async function once<T>({ state, key, pendingMs, ttlMs, work }: OnceOptions<T>): Promise<T> {
  for (
    let waitMs = FIRST_WAIT_MS;
    !(await state.claim(key, pendingMs));
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)
  ) {
    const found = await state.get(key);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is done under a key is this work's result
    if (isDone(found)) return found.done as T;
    // Claimed and not done yet, or given back this very moment.
    if (found !== undefined) await sleep(waitMs);
  }
  // However long the work takes, whoever is at it lives.
  const pulse = setInterval(() => void state.set(key, true, pendingMs).catch(() => undefined), pendingMs / 3);
  let done: T;
  try {
    done = await work();
  } catch (error) {
    clearInterval(pulse);
    // Left alone it expires.
    await state.release(key).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(pulse);
  }
  // The work is done, whether or not that can be noted.
  await state.set(key, { done }, ttlMs).catch(() => undefined);
  return done;
}

function isDone(value: unknown): value is { readonly done: unknown } {
  return typeof value === "object" && value !== null && "done" in value;
}
