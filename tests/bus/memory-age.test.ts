/** What the bus of one process keeps, and for how long. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { EVENT_ID_TTL_MS, LOG_MAX_EVENTS, type Bus } from "../../src/bus/bus.ts";
import { createMemoryBus } from "../../src/bus/memory/memory-bus.ts";
import { MemoryLog } from "../../src/bus/memory/memory-log.ts";
import { TEST_EVENTS, type TestEvent } from "./events.ts";
import { numbers } from "./redis-scene.ts";

const LOG_AGE_MS = 60_000;

/** More than passes between two looks for what is out of date. */
const PURGED_MS = 20_000;

const TOPICS = 50;

/** How far the process's clock, which stands still otherwise, has gone on. */
let aheadMs = 0;

// Everything that expires in the process goes by these.
beforeEach(() => {
  aheadMs = 0;
  const now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => now + aheadMs);
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function pass(ms: number): void {
  aheadMs += ms;
  vi.advanceTimersByTime(ms);
}

function openBus(): Bus<TestEvent> & AsyncDisposable {
  const bus = createMemoryBus<TestEvent>({
    ...TEST_EVENTS,
    logAgeMs: LOG_AGE_MS,
    onListenerError(error) {
      throw error;
    },
  });
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
}

async function publish(bus: Bus<TestEvent>, each: number): Promise<void> {
  for (const topic of numbers(TOPICS)) {
    for (const n of numbers(each)) await bus.publish(`topic ${topic}`, { n });
  }
}

/** How many events are held, whether or not they are too old. */
function held({ log }: Bus<TestEvent>): number {
  if (!(log instanceof MemoryLog)) throw new Error("this is not the bus of one process");
  return log.size;
}

describe("events are dropped", () => {
  test("by age, in topics that nobody reads", async () => {
    await using bus = openBus();
    await publish(bus, 100);
    pass(LOG_AGE_MS / 2);
    await bus.publish("topic 0", { n: 100 });
    expect(held(bus)).toBe(5001);
    pass(LOG_AGE_MS / 2 + PURGED_MS);
    expect(held(bus)).toBe(1);
    pass(LOG_AGE_MS / 2);
    expect(held(bus)).toBe(0);
  });

  test("by age, and nobody is told that the log is complete", async () => {
    await using bus = openBus();
    const { position: before = "" } = await bus.publish("topic 0", { n: 0 });
    const { position: last = "" } = await bus.publish("topic 0", { n: 1 });
    expect(await bus.log.read("topic 0", before)).toHaveLength(1);
    pass(LOG_AGE_MS + PURGED_MS);
    expect(await bus.log.read("topic 0", before)).toBeUndefined();
    expect(await bus.log.read("topic 0", last)).toEqual([]);
  });

  test("by number, and the newest are kept", async () => {
    await using bus = openBus();
    for (const n of numbers(5 * LOG_MAX_EVENTS)) await bus.publish("topic 0", { n });
    const { entries } = await bus.log.tail("topic 0");
    expect(entries.map(({ event }) => event.n)).toEqual(numbers(LOG_MAX_EVENTS, 4 * LOG_MAX_EVENTS));
    expect(held(bus)).toBe(LOG_MAX_EVENTS);
  });
});

test("the id of an event is remembered for its time, however short the log is", async () => {
  await using bus = openBus();
  const first = await bus.publish("topic 0", { n: 0 });
  pass(EVENT_ID_TTL_MS - 1000);
  expect([held(bus), await bus.publish("topic 0", { n: 0 })]).toEqual([0, first]);
  pass(2000);
  const again = await bus.publish("topic 0", { n: 0 });
  expect(String(again.position) > String(first.position)).toBe(true);
});

test("a position is found for its time, then known to have been there, then unknown", async () => {
  await using bus = openBus();
  const keys = numbers(3).map(String);
  for (const key of keys) await bus.fenced.put(key, "one", key, 1000, 5000);
  const take = async (key: string): Promise<string> => (await bus.fenced.take(key, "other", undefined, 1, 1)).status;
  expect(await take("0")).toBe("found");
  pass(1001);
  expect(await take("1")).toBe("expired");
  expect(await take("1")).toBe("expired");
  pass(4000);
  expect(await take("2")).toBe("none");
});
