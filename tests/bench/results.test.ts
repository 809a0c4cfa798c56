import { expect, it } from "vitest";
import { toMarkdown } from "../../bench/report/markdown.ts";
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

it("tells the ratio to bare ws of the same round", () => {
  const samples = [
    { peer: "ws", round: 0, ms: 10 },
    { peer: "gateway", round: 0, ms: 20 },
    { peer: "ws", round: 1, ms: 100 },
    { peer: "gateway", round: 1, ms: 150 },
  ].map(({ peer, round, ms }) => ({
    case: "a case",
    peer,
    round,
    othersShare: 0,
    finding: { values: { p99: ms }, accounts: [], lostConnections: 0 },
  }));
  const scenario = {
    name: "latency",
    title: "Latency",
    text: "",
    peers: ["gateway", "ws"] as const,
    persist: "rest" as const,
    cases: () => [],
    columns: () => [{ heading: "p99, ms", case: "a case", value: "p99", digits: 0, against: "ws" as const }],
    charts: () => [],
    prepare: () => Promise.reject(new Error("nothing is measured")),
  };
  const scale = { quick: true, windowMs: 1, longWindowMs: 1 };
  const text = toMarkdown([scenario], { latency: { ...RESULT, samples } }, scale);
  expect(text).toContain("| this gateway | **85** (20–150), 1.75 × |");
  expect(text).toContain("| bare ws | **55** (10–100) |");
});
