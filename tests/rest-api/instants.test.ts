/** Instants of any form, as texts whose order is the order of the times. */
import { assert, constantFrom, date, integer, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { compareInstants, normaliseInstant, toMilliseconds } from "../../src/upstream/instant.ts";

describe("an instant", () => {
  test.each([
    ["2026-01-31T09:30:00.000Z", "2026-01-31T09:30:00.000Z"],
    ["2026-01-31T10:30:00+01:00", "2026-01-31T09:30:00.000Z"],
    ["2026-01-31T09:30:00.123456Z", "2026-01-31T09:30:00.123456Z"],
    ["2026-01-31T09:30:00.123400Z", "2026-01-31T09:30:00.1234Z"],
    ["2026-01-31T09:30:00.123456+01:00", "2026-01-31T08:30:00.123456Z"],
    ["Sat, 31 Jan 2026 09:30:00 GMT", "2026-01-31T09:30:00.000Z"],
  ])("%s is %s", (given, expected) => {
    expect(normaliseInstant(given, "full")).toBe(expected);
    expect(normaliseInstant(given, "milliseconds")).toBe(toMilliseconds(expected));
  });

  test.each(["", "yesterday", "2026-13-01T00:00:00.000Z", "2026-01-01T25:00:00.000Z", "+012026-01-01T00:00:00Z"])(
    "is not %j",
    (given) => {
      expect(normaliseInstant(given, "full")).toBeUndefined();
    },
  );

  const DAYS = { min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true };

  test("is what Date makes of it", () => {
    assert(
      property(date(DAYS), (instant) => {
        expect(normaliseInstant(instant.toISOString(), "full")).toBe(instant.toISOString());
      }),
    );
  });

  test("is compared at full precision", () => {
    const instant = record({
      second: integer({ min: 0, max: 2 }),
      nanos: integer({ min: 0, max: 3 }),
      scale: constantFrom(1, 1000, 1_000_000),
    });
    const textOf = ({ second, nanos, scale }: { second: number; nanos: number; scale: number }): string =>
      `2026-01-01T00:00:0${second}.${String(nanos * scale).padStart(9, "0")}Z`;
    assert(
      property(instant, instant, (a, b) => {
        const [textA, textB] = [textOf(a), textOf(b)];
        const order = compareInstants(normaliseInstant(textA, "full") ?? "", normaliseInstant(textB, "full") ?? "");
        expect(Math.sign(order)).toBe(textA === textB ? 0 : textA < textB ? -1 : 1);
      }),
    );
  });
});
