/** When messages are sent. */
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Crowd } from "./crowd.ts";
import type { Window } from "./window.ts";

const DELIVERY_TIMEOUT_MS = 20_000;

/** Closed loop: so many messages in one write, the next ones when everybody has them. Ends after so long, or at the first loss. */
export async function sendInTurn(crowd: Crowd, window: Window, atOnce: number, durationMs: number): Promise<void> {
  const end = performance.now() + durationMs;
  for (let turn = 0; performance.now() < end; turn++) {
    crowd.send(turn, atOnce);
    if (!(await window.complete(DELIVERY_TIMEOUT_MS))) return;
  }
}

/** How an open loop went. */
export interface Pace {
  /** Messages per second as they were sent. */
  readonly achieved: number;
  /** By how much the latest message was behind its time. */
  readonly worstLagMs: number;
}

/** Open loop: so many messages per second by the clock, whether or not the earlier ones have arrived; then waits for all. */
export async function sendByClock(crowd: Crowd, window: Window, perSecond: number, durationMs: number): Promise<Pace> {
  const start = performance.now();
  const count = Math.floor((durationMs / 1000) * perSecond);
  let worstLagMs = 0;
  for (let turn = 0; turn < count;) {
    const dueTurns = Math.min(count, Math.floor(((performance.now() - start) / 1000) * perSecond) + 1);
    if (turn < dueTurns) {
      worstLagMs = Math.max(worstLagMs, performance.now() - start - (turn / perSecond) * 1000);
      for (; turn < dueTurns; turn++) crowd.send(turn);
    }
    await delay(1);
  }
  const achieved = (count / (performance.now() - start)) * 1000;
  await window.complete(DELIVERY_TIMEOUT_MS);
  return { achieved, worstLagMs };
}
