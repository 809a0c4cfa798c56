/** Redis has lost its memory, and instances find elsewhere what they missed while others go on publishing. */
import { expect, test } from "vitest";
import { startRedis } from "../support/redis.ts";
import { connected, family, PATIENTLY, record } from "./redis-scene.ts";

test("what was under way when it was found elsewhere is where it is published, with everybody", async () => {
  await using server = await startRedis();
  const open = family(server.url);
  await using other = await open();
  await using bus = await open();
  const there = await record(other);
  const here: number[] = [];
  await bus.subscribe("topic", {
    receive: ({ n }) => void here.push(n),
    async recover() {
      // In the history before it is published, and created before what the others have received by now.
      const atMs = Date.now();
      await other.publish("topic", { n: 2 });
      await expect.poll(() => there.numbers, PATIENTLY).toContain(2);
      return [{ event: { n: 3 }, atMs }];
    },
  });
  await other.publish("topic", { n: 1 });
  await expect.poll(() => here, PATIENTLY).toEqual([1]);
  await server.kill();
  await connected(bus, false);
  await server.restart();
  await expect.poll(() => there.numbers, PATIENTLY).toEqual([1, 2, 3]);
  await expect.poll(() => here, PATIENTLY).toEqual([1, 2, 3]);
});

test("of values that are put again the latest owner's stays, and none replaces what was taken or put since", async () => {
  await using server = await startRedis();
  await using bus = await family(server.url)();
  const { fenced } = bus;
  const restore = (owner: string, takenAt: string): Promise<boolean> =>
    fenced.restore("key", owner, takenAt, owner, 60_000, 60_000);
  expect(await restore("former", "1")).toBe(true);
  expect(await restore("latest", "2")).toBe(true);
  expect(await restore("former", "1")).toBe(false);
  expect(await fenced.put("key", "former", "late", 60_000, 60_000)).toBe(false);
  expect(await fenced.put("key", "latest", "newer", 60_000, 60_000)).toBe(true);
  expect(await fenced.take("key", "another", undefined, 60_000, 60_000)).toEqual({ status: "found", value: "newer" });
  expect(await restore("latest", "2")).toBe(false);
});
