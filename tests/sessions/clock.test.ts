/** The clocks: the gateway's own, and the one that tests move. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { ManualClock } from "../support/clock.ts";

const DAY_MS = 86_400_000;

describe("the system's clock", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([0, 1, DAY_MS, 2 ** 31 - 1, 2 ** 31, 100 * DAY_MS, 100 * DAY_MS + 1])(
    "runs a timer of %i ms once, then and not before",
    (delayMs) => {
      let runs = 0;
      systemClock.after(delayMs, () => runs++);
      vi.advanceTimersByTime(Math.max(0, delayMs - 1));
      expect(runs).toBe(delayMs === 0 ? 1 : 0);
      vi.advanceTimersByTime(1);
      expect(runs).toBe(1);
      vi.advanceTimersByTime(200 * DAY_MS);
      expect(runs).toBe(1);
    },
  );

  test("runs a timer whose time is over at the next occasion", () => {
    let runs = 0;
    systemClock.after(-1, () => runs++);
    expect(runs).toBe(0);
    vi.advanceTimersByTime(1);
    expect(runs).toBe(1);
  });

  test.each([0, 30])("runs no timer that was stopped after %i of its 100 days", (days) => {
    let runs = 0;
    const cancel = systemClock.after(100 * DAY_MS, () => runs++);
    vi.advanceTimersByTime(days * DAY_MS);
    cancel();
    cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(200 * DAY_MS);
    expect(runs).toBe(0);
  });
});

test("a manual clock runs what is due in order, what is set meanwhile included, and each at its own time", async () => {
  const clock = new ManualClock(1000);
  const ran: string[] = [];
  const note = (name: string) => (): void => void ran.push(`${name} at ${clock.now()}`);
  clock.after(20, note("second"));
  clock.after(10, () => {
    note("first")();
    clock.after(5, note("set meanwhile"));
  });
  const cancel = clock.after(15, note("stopped"));
  clock.after(30, note("later"));
  cancel();
  expect(clock.dueTimes).toEqual([1010, 1020, 1030]);
  await clock.waiting(3);
  clock.advance(20);
  expect(ran).toEqual(["first at 1010", "set meanwhile at 1015", "second at 1020"]);
  clock.advanceToNext();
  expect(ran.at(-1)).toBe("later at 1030");
  await clock.waiting(0);
});
