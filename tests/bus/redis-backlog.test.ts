/** Many events waited for Redis: they come at once, to instances that may still be on their way back. */
import { expect, test } from "vitest";
import { startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { connected, family, numbers, PATIENTLY, record } from "./redis-scene.ts";

const COUNT = 3000;

test("an instance that is back later than another finds everything in the log that waited there", async () => {
  await using server = await startRedis();
  await using early = await startRelay(server.url);
  await using late = await startRelay(server.url);
  const open = family(server.url);
  await using one = await open({ url: early.url });
  await using other = await open({ url: late.url });
  const history = await record(other);
  await one.publish("topic", { n: 0 });
  await expect.poll(() => history.numbers, PATIENTLY).toEqual([0]);
  for (const relay of [early, late]) {
    relay.freeze();
    relay.cut();
  }
  await connected(one, false);
  const waiting = numbers(COUNT, 1).map((n) => one.publish("topic", { n }));
  expect(one.statistics.queued).toBe(COUNT);
  early.thaw();
  await Promise.all(waiting);
  // What is published now pushes nothing of it out.
  await one.publish("topic", { n: COUNT + 1 });
  late.thaw();
  await expect.poll(() => history.numbers.length, PATIENTLY).toBe(COUNT + 2);
  expect([history.numbers, history.missed]).toEqual([numbers(COUNT + 2), []]);
});

test("what waited for a Redis that comes back empty reaches every instance, in one order", async () => {
  await using server = await startRedis();
  const open = family(server.url);
  await using one = await open();
  await using other = await open();
  const histories = await Promise.all([record(one), record(other)]);
  await one.publish("topic", { n: 0 });
  for (const history of histories) await expect.poll(() => history.numbers, PATIENTLY).toEqual([0]);
  await server.kill();
  await Promise.all([connected(one, false), connected(other, false)]);
  const waiting = numbers(COUNT).map((n) => (n % 2 === 0 ? one : other).publish("topic", { n: n + 1 }));
  expect(one.statistics.queued + other.statistics.queued).toBe(COUNT);
  await server.restart();
  await Promise.all(waiting);
  for (const history of histories) await expect.poll(() => history.numbers.length, PATIENTLY).toBe(COUNT + 1);
  const [first, second] = histories.map(({ numbers: received }) => received);
  expect(second).toEqual(first);
  expect(first?.toSorted((a, b) => a - b)).toEqual(numbers(COUNT + 1));
});
