/** The set of few elements against the one of JavaScript. */
import { array, assert, constantFrom, nat, property, tuple } from "fast-check";
import { expect, test } from "vitest";
import { SmallSet } from "../../src/small-set.ts";

const step = tuple(constantFrom("add" as const, "delete" as const), nat(24));

test("a set of few or many elements has what was added and not deleted", () => {
  assert(
    property(array(step, { maxLength: 120 }), (steps) => {
      const [small, set] = [new SmallSet<number>(), new Set<number>()];
      for (const [what, element] of steps) {
        const wasThere = set.has(element);
        set[what](element);
        expect(small[what](element)).toBe(what === "add" ? small : wasThere);
        expect(small.size).toBe(set.size);
        expect(small.has(element)).toBe(set.has(element));
      }
      expect(new Set(small)).toEqual(set);
      const called = new Set<number>();
      small.forEach((element) => called.add(element));
      expect(called).toEqual(set);
    }),
  );
});

test.each([1, 4, 40])("each of %i elements may be deleted while they are iterated", (count) => {
  const small = new SmallSet<number>();
  for (let element = 0; element < count; element++) small.add(element);
  const seen: number[] = [];
  for (const element of small) {
    seen.push(element);
    small.delete(element);
  }
  expect([seen.length, small.size]).toEqual([count, 0]);
});
