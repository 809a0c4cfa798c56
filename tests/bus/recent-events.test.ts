/** The events of the last half minute of connection: what is a duplicate, and what is published again. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LOG_MAX_EVENTS } from "../../src/bus/bus.ts";
import { positionAt } from "../../src/bus/position.ts";
import { RecentEvents } from "../../src/bus/redis/events/recent-events.ts";

const KEPT_MS = 30_000;
const RESTORED_MS = 10_000;
const TOPIC = "topic";

/** Delivers an event whose id, content and position are its number. */
function deliver(recent: RecentEvents<number>, n: number, topic = TOPIC): boolean {
  return recent.deliver(topic, String(n), n, positionAt(n, 0));
}

function restorable(recent: RecentEvents<number>, topic = TOPIC): readonly number[] {
  return recent.restorable(topic).map(({ event }) => event);
}

describe("an event is delivered", () => {
  test("once on each topic", () => {
    const recent = new RecentEvents<number>();
    expect([deliver(recent, 1), deliver(recent, 1), deliver(recent, 2)]).toEqual([true, false, true]);
    expect([deliver(recent, 1, "other"), deliver(recent, 1, "other")]).toEqual([true, false]);
  });

  test("once where it comes again at another position", () => {
    const recent = new RecentEvents<number>();
    deliver(recent, 1);
    expect(recent.deliver(TOPIC, "1", 1, positionAt(99, 0))).toBe(false);
  });

  test("once where it was published here and comes back", () => {
    const recent = new RecentEvents<number>();
    recent.published(TOPIC, "1", 1, positionAt(1, 0));
    expect(recent.undelivered(TOPIC)).toEqual([{ event: 1, atMs: 1 }]);
    expect([deliver(recent, 1), deliver(recent, 1)]).toEqual([true, false]);
    expect(recent.undelivered(TOPIC)).toEqual([]);
  });

  test("not again where the answer to its publication comes after it", () => {
    const recent = new RecentEvents<number>();
    deliver(recent, 1);
    recent.published(TOPIC, "1", 1, positionAt(1, 0));
    expect([recent.undelivered(TOPIC), deliver(recent, 1)]).toEqual([[], false]);
  });

  test("again once half a minute of connection has passed", () => {
    const recent = new RecentEvents<number>();
    deliver(recent, 1);
    recent.advance(KEPT_MS - 1);
    expect(deliver(recent, 1)).toBe(false);
    recent.advance(1);
    expect(deliver(recent, 1)).toBe(true);
  });
});

test("while disconnected nothing is forgotten, however long that takes", () => {
  const recent = new RecentEvents<number>();
  deliver(recent, 1);
  recent.advance(5000);
  // Nothing advances it now: Redis is disconnected.
  expect(deliver(recent, 1)).toBe(false);
  expect(restorable(recent)).toEqual([1]);
});

describe("published again are", () => {
  test("the events of the last ten seconds of connection", () => {
    const recent = new RecentEvents<number>();
    deliver(recent, 1);
    recent.advance(RESTORED_MS - 1);
    deliver(recent, 2);
    expect(restorable(recent)).toEqual([1, 2]);
    recent.advance(1);
    expect(restorable(recent)).toEqual([2]);
    recent.advance(RESTORED_MS);
    expect(restorable(recent)).toEqual([]);
    expect(deliver(recent, 2), "it is still known").toBe(false);
  });

  test("those that were published here and did not come back yet", () => {
    const recent = new RecentEvents<number>();
    recent.published(TOPIC, "2", 2, positionAt(2, 0));
    deliver(recent, 1);
    expect(recent.restorable(TOPIC)).toMatchObject([
      { event: 1, position: positionAt(1, 0), isDelivered: true },
      { event: 2, position: positionAt(2, 0), isDelivered: false },
    ]);
  });

  test("in the order of their first positions, whatever the order of arrival", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1000), { maxLength: 50 }), (numbers) => {
        const recent = new RecentEvents<number>();
        for (const n of numbers) deliver(recent, n);
        expect(restorable(recent)).toEqual(numbers.toSorted((a, b) => a - b));
      }),
    );
  });

  test("with the position that they had first", () => {
    const recent = new RecentEvents<number>();
    recent.published(TOPIC, "1", 1, positionAt(1, 0));
    recent.published(TOPIC, "1", 1, positionAt(50, 0));
    recent.deliver(TOPIC, "1", 1, positionAt(60, 0));
    expect(recent.restorable(TOPIC)).toMatchObject([{ position: positionAt(1, 0) }]);
  });

  test("none of a topic without events", () => {
    expect(new RecentEvents<number>().restorable("nothing")).toEqual([]);
  });
});

describe("memory is bounded", () => {
  test("by four times the number of events that a log has, of which one log's are published again", () => {
    const recent = new RecentEvents<number>();
    for (let n = 0; n <= 4 * LOG_MAX_EVENTS; n++) deliver(recent, n);
    expect(restorable(recent)).toEqual(Array.from({ length: LOG_MAX_EVENTS }, (_, n) => 3 * LOG_MAX_EVENTS + 1 + n));
    expect([deliver(recent, 1), deliver(recent, 0)]).toEqual([false, true]);
  });

  test("and what another instance publishes again, which is a little behind, is known", () => {
    const [ahead, behind] = [new RecentEvents<number>(), new RecentEvents<number>()];
    const count = 2 * LOG_MAX_EVENTS;
    for (let n = 0; n < count; n++) deliver(ahead, n);
    for (let n = 0; n < count - 100; n++) deliver(behind, n);
    for (const n of restorable(behind)) expect(deliver(ahead, n)).toBe(false);
  });

  test("topics go with their last event", () => {
    const recent = new RecentEvents<number>();
    deliver(recent, 1, "first");
    recent.advance(KEPT_MS - 1);
    deliver(recent, 2, "second");
    expect([...recent.topics]).toEqual(["first", "second"]);
    recent.advance(1);
    expect([...recent.topics]).toEqual(["second"]);
    recent.advance(KEPT_MS);
    expect([...recent.topics]).toEqual([]);
  });
});
