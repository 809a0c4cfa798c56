/** Buses on a Redis of their own, and what their listeners are given. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Bus, EventKind } from "../../src/bus/bus.ts";
import type { Position } from "../../src/bus/position.ts";
import type { RedisBusOptions } from "../../src/bus/redis/options.ts";
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import { TEST_EVENTS, type TestEvent } from "./events.ts";

/** For what comes about by itself. */
export const PATIENTLY = { timeout: 45_000, interval: 10 };

export type TestBus = Bus<TestEvent> & AsyncDisposable;

/** Opens buses that see one another, and nobody else. */
export function family(
  url: string,
  options: Partial<RedisBusOptions<TestEvent>> = {},
): (own?: Partial<RedisBusOptions<TestEvent>>) => Promise<TestBus> {
  const prefix = `${randomUUID()}:`;
  return async (own) => {
    const bus = await createRedisBus({
      ...TEST_EVENTS,
      url,
      prefix,
      presenceTtlMs: 30_000,
      presenceGraceMs: 100,
      onListenerError(error) {
        throw error;
      },
      ...options,
      ...own,
    });
    return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
  };
}

/** What one listener was given. */
export interface History {
  readonly numbers: number[];
  readonly positions: (Position | undefined)[];
  /** After which position events may be missing, each time that it was asked for them. */
  readonly missed: Position[];
}

export async function record(bus: Bus<TestEvent>, topic = "topic"): Promise<History> {
  const history: History = { numbers: [], positions: [], missed: [] };
  await bus.subscribe(topic, {
    receive(event, position) {
      history.numbers.push(event.n);
      history.positions.push(position);
    },
    recover: async (after) => {
      history.missed.push(after);
      return [];
    },
  });
  return history;
}

export function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, n) => from + n);
}

/** Resolves when the bus says so. */
export async function connected(bus: Bus<TestEvent>, isConnected = true): Promise<void> {
  await expect.poll(() => bus.isConnected, PATIENTLY).toBe(isConnected);
}

/** Publishes numbers in their order, some at a time, until told to stop; how many is what `stop` resolves to. */
export function publishSteadily(
  bus: Bus<TestEvent>,
  {
    topic = "topic",
    from = 0,
    kind = "durable",
    paceMs = 4,
  }: { topic?: string; from?: number; kind?: EventKind; paceMs?: number } = {},
): { readonly stop: () => Promise<number> } {
  const stopping = new AbortController();
  const done = (async () => {
    const published = [];
    let n = from;
    while (!stopping.signal.aborted) {
      for (let i = 0; i < 3; i++) published.push(bus.publish(topic, { n: n++, kind }));
      // The pace.
      await delay(paceMs);
    }
    await Promise.all(published);
    return n - from;
  })();
  return {
    stop() {
      stopping.abort();
      return done;
    },
  };
}

/** How long that took. */
export async function took(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
