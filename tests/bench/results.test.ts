import { expect, it } from "vitest";
import { added, type Result } from "../../bench/report/results.ts";

const RESULT: Result = {
  date: "2026-01-31T09:30:00.000Z",
  command: "npm run bench",
  rounds: 2,
  windowMs: 45_000,
  machine: { cores: "2" },
  versions: { gateway: "0.1.0 (abcdef0)" },
  samples: [
    { case: "a case", peer: "ws", round: 0, othersShare: 0 },
    { case: "a case", peer: "ws", round: 1, othersShare: 0 },
  ],
};

it("adds rounds to those of the same versions, machine and windows alone", () => {
  const more: Result = { ...RESULT, rounds: 1, samples: [{ case: "a case", peer: "ws", round: 2, othersShare: 0 }] };
  expect(added(RESULT, more)).toMatchObject({ rounds: 3, samples: [{ round: 0 }, { round: 1 }, { round: 2 }] });
  expect(added(undefined, more)).toBe(more);
  for (const changed of [{ windowMs: 5000 }, { versions: { gateway: "0.1.0 (0123456)" } }]) {
    const other = { ...more, ...changed };
    expect(added(RESULT, other)).toBe(other);
  }
});
