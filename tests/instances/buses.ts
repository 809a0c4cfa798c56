/** Buses of gateways in the test's process, whose counters a test can read. */
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import type { Bus } from "../../src/bus/bus.ts";
import { LONG_MS } from "../support/deadlines.ts";
import { compactionOf, decodeEvent, idOf, kindOf, timeOf, type BusEvent } from "../../src/chat/events/registry.ts";

/** A gateway's bus, which fails the test where a listener throws. */
export async function openRedisBus(url: string, prefix = "chat:"): Promise<Bus<BusEvent> & AsyncDisposable> {
  const bus = await createRedisBus<BusEvent>({
    kindOf,
    idOf,
    compactionOf,
    timeOf,
    decode: decodeEvent,
    logAgeMs: 60_000,
    url,
    prefix,
    startPatienceMs: LONG_MS,
    presenceTtlMs: 30_000,
    presenceGraceMs: 100,
    onListenerError(error) {
      throw error;
    },
  });
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
}
