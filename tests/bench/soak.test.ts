/** When a soak run fails: what it measured is compared with the warm level. */
import { expect, it } from "vitest";
import { faultsOf, type Holding } from "../../scripts/soak/held.ts";
import { soakPicture } from "../../scripts/soak/picture.ts";

const WARM: Holding = {
  heapBytes: 50_000_000,
  residentBytes: 160_000_000,
  handles: 10,
  openFiles: 30,
  mapEntries: 5000,
  redisKeys: 8000,
  redisBytes: 5_000_000,
};

it("is right where everything is back at the warm level, or below", () => {
  expect(faultsOf(WARM, WARM, 0)).toEqual([]);
  expect(faultsOf(WARM, { ...WARM, heapBytes: 40_000_000, handles: 5 }, 0)).toEqual([]);
});

it.each([
  ["heapBytes", 60_000_000],
  ["residentBytes", 240_000_000],
  ["handles", 30],
  ["openFiles", 50],
  ["mapEntries", 6000],
  ["redisKeys", 8500],
  ["redisBytes", 8_000_000],
] as const)("is wrong where %s stays at %d", (quantity, value) => {
  expect(faultsOf(WARM, { ...WARM, [quantity]: value }, 0)).toEqual([
    expect.stringMatching(new RegExp(`^${quantity}: ${value}, expected \\d+ at most, ${WARM[quantity]} warm$`)),
  ]);
});

it("allows for the ids of the messages, which are remembered for ten minutes", () => {
  const after = { ...WARM, mapEntries: 8000, redisKeys: 11_000 };
  expect(faultsOf(WARM, after, 0)).toHaveLength(2);
  expect(faultsOf(WARM, after, 1000)).toEqual([]);
});

it("is wrong where something could not be measured", () => {
  expect(faultsOf(WARM, { ...WARM, redisKeys: Number.NaN }, 0)).toHaveLength(1);
});

it("draws a line for each bus that has the quantity", () => {
  const { redisKeys: _keys, redisBytes: _bytes, ...inMemory } = WARM;
  const svg = soakPicture([
    {
      bus: "memory",
      samples: [
        { seconds: 0, held: inMemory },
        { seconds: 10, held: inMemory },
      ],
    },
    {
      bus: "redis",
      samples: [
        { seconds: 0, held: WARM },
        { seconds: 10, held: WARM },
      ],
    },
  ]);
  expect(svg.match(/<polyline /g)).toHaveLength(10);
  expect(svg).toContain("on Redis");
});
