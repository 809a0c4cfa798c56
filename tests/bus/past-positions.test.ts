/** Where messages were, as an instance remembers it for a Redis that loses its memory. */
import { expect, test } from "vitest";
import { positionAt } from "../../src/bus/position.ts";
import { PastPositions, type TopicPositions } from "../../src/bus/redis/events/past-positions.ts";

const WINDOW_MS = 60_000;

function note(past: PastPositions, topic: string, ms: number, cameAboutMs = ms): void {
  past.note(topic, String(ms), positionAt(ms, 0), cameAboutMs);
}

function known(past: PastPositions): Record<string, string[]> {
  return Object.fromEntries(Array.from(past.topics, ({ topic, positions }) => [topic, [...positions.keys()]]));
}

function only(past: PastPositions): TopicPositions | undefined {
  return [...past.topics][0];
}

test("positions are remembered for the window, by the clock that they are of", () => {
  const past = new PastPositions(WINDOW_MS);
  note(past, "quiet", 1000);
  note(past, "busy", 2000);
  past.expire();
  expect(known(past)).toEqual({ quiet: ["1000"], busy: ["2000"] });
  note(past, "busy", 1500 + WINDOW_MS);
  past.expire();
  expect(known(past)).toEqual({ busy: ["2000", String(1500 + WINDOW_MS)] });
});

test("as many of a topic as a client is given at most, the latest", () => {
  const past = new PastPositions(WINDOW_MS);
  for (let ms = 1; ms <= 10_001; ms++) note(past, "topic", ms);
  const ids = [...(only(past)?.positions.keys() ?? [])];
  expect([ids.length, ids[0], ids.at(-1)]).toEqual([10_000, "2", "10001"]);
});

test("of all topics so many, the latest", () => {
  const past = new PastPositions(WINDOW_MS);
  for (let ms = 1; ms <= 100_002; ms++) note(past, `topic ${ms % 2 === 0 ? ms : 1}`, ms);
  const counts = Array.from(past.topics, ({ positions }) => positions.size);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(100_000);
  expect(known(past)["topic 100002"]).toEqual(["100002"]);
});

test("how long a publication took is remembered with the last one that took long", () => {
  const past = new PastPositions(WINDOW_MS);
  note(past, "topic", 100_000, 99_000);
  expect(only(past)).toMatchObject({ late: "", delayMs: 0 });
  note(past, "topic", 110_000, 90_000);
  note(past, "topic", 120_000, 112_000);
  note(past, "topic", 121_000, 121_000);
  expect(only(past)).toMatchObject({ late: positionAt(120_000, 0), delayMs: 20_000 });
  note(past, "topic", 120_001 + WINDOW_MS);
  past.expire();
  expect(only(past)).toMatchObject({ late: "", delayMs: 0 });
});
