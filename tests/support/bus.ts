/** A bus within the test's process, which fails the test where a listener throws. */
import type { Bus } from "../../src/bus/bus.ts";
import { createMemoryBus } from "../../src/bus/memory.ts";
import { decodeEvent } from "../../src/chat/event-codec.ts";
import { idOf, kindOf, type BusEvent } from "../../src/chat/events.ts";

export function createTestBus(): Bus<BusEvent> {
  return createMemoryBus<BusEvent>({
    kindOf,
    idOf,
    decode: decodeEvent,
    logAgeMs: 60_000,
    onListenerError(error) {
      throw error;
    },
  });
}
