/** What the tests of the bus send. */
import type { BusOptions, Compaction, EventKind } from "../../src/bus/bus.ts";

export interface TestEvent {
  readonly n: number;
  /** Absent: it is durable. */
  readonly kind?: EventKind;
  /** When it came about, in milliseconds since the epoch. Absent: it does not say so. */
  readonly atMs?: number;
  /** Absent: it takes no other event's place. */
  readonly compaction?: Compaction;
}

export const TEST_EVENTS: Omit<BusOptions<TestEvent>, "onListenerError"> = {
  kindOf: ({ kind }) => kind ?? "durable",
  idOf: ({ n }) => String(n),
  compactionOf: ({ compaction }) => compaction,
  timeOf: ({ atMs }) => atMs,
  decode: (value) => (typeof (value as TestEvent | null)?.n === "number" ? (value as TestEvent) : undefined),
  logAgeMs: 60_000,
};
