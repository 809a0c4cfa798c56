/** Buses on a Redis of their own, and what their listeners are given. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus, EventKind } from "../../src/bus/bus.ts";
import type { Position } from "../../src/bus/position.ts";
import type { RedisBusOptions } from "../../src/bus/redis/options.ts";
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import { LONG_MS } from "../support/deadlines.ts";
import { TEST_EVENTS, type TestEvent } from "./events.ts";

/** For what comes about by itself. */
export const PATIENTLY = { timeout: 45_000, interval: 10 };

export type TestBus = Bus<TestEvent> & AsyncDisposable;

type OpenBus = (own?: Partial<RedisBusOptions<TestEvent>>) => Promise<TestBus>;

/** Opens buses that see one another, and nobody else; each resolves when all of Redis is connected. */
export function family(url: string, options: Partial<RedisBusOptions<TestEvent>> = {}): OpenBus {
  return opener(url, { startPatienceMs: LONG_MS, ...options });
}

/** The same; after a moment each resolves, connected or not. */
export function opener(url: string, options: Partial<RedisBusOptions<TestEvent>> = {}): OpenBus {
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
export async function connected(bus: Pick<Bus<TestEvent>, "isConnected">, isConnected = true): Promise<void> {
  while (bus.isConnected !== isConnected) await delay(10);
}

/** Events that a listener may be behind: fewer than the log has, or it would have to ask for them elsewhere. */
const MAX_BEHIND = 500;

export interface Load {
  readonly topic?: string;
  readonly kind?: EventKind;
  readonly paceMs?: number;
  /** Listeners that receive every event. However slow the machine is, they can read from the log what they miss. */
  readonly readers?: readonly History[];
}

/** Publishes numbers in their order, some at a time, until told to stop; how many is what `stop` resolves to. */
export function publishSteadily(
  bus: Bus<TestEvent>,
  { topic = "topic", kind = "durable", paceMs = 4, readers = [] }: Load = {},
): { readonly stop: () => Promise<number> } {
  const stopping = new AbortController();
  const done = (async () => {
    const published = [];
    let n = 0;
    while (!stopping.signal.aborted) {
      const count = readers.some(({ numbers: received }) => n - received.length > MAX_BEHIND) ? 0 : 3;
      for (let i = 0; i < count; i++) published.push(bus.publish(topic, { n: n++, kind }));
      // The pace.
      await delay(paceMs);
    }
    await Promise.all(published);
    return n;
  })();
  return {
    stop() {
      stopping.abort();
      return done;
    },
  };
}
