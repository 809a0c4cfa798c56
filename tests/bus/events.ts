/** What the tests of the bus send. */
import type { BusOptions, EventKind } from "../../src/bus/bus.ts";

export interface TestEvent {
  readonly n: number;
  /** Absent: it is durable. */
  readonly kind?: EventKind;
}

export const TEST_EVENTS: Omit<BusOptions<TestEvent>, "onListenerError"> = {
  kindOf: ({ kind }) => kind ?? "durable",
  idOf: ({ n }) => String(n),
  decode: (value) => (typeof (value as TestEvent | null)?.n === "number" ? (value as TestEvent) : undefined),
  logAgeMs: 60_000,
};
