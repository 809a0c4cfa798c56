/** Redis has lost its memory, and some instance takes its time to write again what it had. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { parsePosition } from "../../src/bus/position.ts";
import { redisKeys } from "../../src/bus/redis/keys.ts";
import { Restoration } from "../../src/bus/redis/restoration.ts";
import { runScript } from "../../src/bus/redis/script.ts";
import { heardFrom, startRedis, type RedisServer } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { connected, family, numbers, PATIENTLY, record } from "./redis-scene.ts";

test("a listener waits for what an instance that is held has to publish again, and has everybody's order", async () => {
  await using server = await startRedis();
  await using wayOfHolder = await startRelay(server.url);
  await using wayOfReader = await startRelay(server.url);
  const open = family(server.url, { presenceTtlMs: 3000 });
  await using holder = await open({ url: wayOfHolder.url });
  await using reader = await open({ url: wayOfReader.url });
  await using sender = await open();
  const [there, here] = [await record(holder), await record(reader)];
  // Each has noticed the others.
  await heardFrom(server, 6);
  await sender.publish("topic", { n: 1 });
  await expect.poll(() => [there.numbers, here.numbers], PATIENTLY).toEqual([[1], [1]]);
  wayOfReader.freeze();
  await holder.publish("topic", { n: 2 });
  await expect.poll(() => there.numbers, PATIENTLY).toEqual([1, 2]);
  wayOfHolder.freeze();
  await server.kill();
  await connected(sender, false);
  await server.restart();
  await connected(sender);
  await sender.publish("topic", { n: 3 });
  wayOfReader.cut();
  wayOfReader.thaw();
  await connected(reader);
  await heardFrom(server, 8);
  expect(here.numbers).toEqual([1]);
  wayOfHolder.cut();
  wayOfHolder.thaw();
  await expect.poll(() => [there.numbers, here.numbers], PATIENTLY).toEqual([numbers(3, 1), numbers(3, 1)]);
});

test("where events were is known of all that clients may come back for, not only of what is published again", async () => {
  await using server = await startRedis();
  await using bus = await family(server.url)();
  const here = await record(bus);
  const ids = numbers(1500).map(String);
  const published = await Promise.all(numbers(1500).map((n) => bus.publish("topic", { n, atMs: Date.now() })));
  await expect.poll(() => here.numbers.length, PATIENTLY).toBe(1500);
  const positions = published.map(({ position }) => position);
  expect(await bus.log.positionsOf("topic", ids)).toEqual(positions);
  await server.kill();
  await connected(bus, false);
  await server.restart();
  await connected(bus);
  // Waits until everything is there again.
  await expect
    .poll(() => bus.fenced.take("key", "owner", undefined, 1000, 1000).catch(() => undefined), PATIENTLY)
    .toMatchObject({ status: expect.anything() });
  expect(await bus.log.positionsOf("topic", ids)).toEqual(positions);
  // One of the old ones is published again: it is new to nobody, and goes where it was.
  await bus.publish("topic", { n: 7, atMs: Date.now() });
  await bus.publish("topic", { n: 1500 });
  await expect.poll(() => here.numbers.at(-1), PATIENTLY).toBe(1500);
  expect(here.numbers).toEqual(numbers(1501));
  const { entries } = await bus.log.tail("topic");
  expect(entries[0]).toMatchObject({ event: { n: 7 }, order: positions[7] });
});

test("a listener that was behind asks as far back as publications had taken", async () => {
  await using server = await startRedis();
  await using way = await startRelay(server.url);
  const open = family(server.url);
  await using reader = await open({ url: way.url });
  await using sender = await open();
  const here = await record(reader);
  const { position = "" } = await sender.publish("topic", { n: 0, atMs: Date.now() });
  await expect.poll(() => here.numbers, PATIENTLY).toEqual([0]);
  way.freeze();
  // It has waited for a minute; so many others come after it that it is not published again.
  await sender.publish("topic", { n: 1, atMs: Date.now() - 60_000 });
  await Promise.all(numbers(1100, 2).map((n) => sender.publish("topic", { n, atMs: Date.now() })));
  await server.kill();
  await connected(sender, false);
  await server.restart();
  await connected(sender);
  way.cut();
  way.thaw();
  await expect.poll(() => here.numbers.at(-1), PATIENTLY).toBe(1101);
  expect(here.missed.map((after) => parsePosition(position).ms - parsePosition(after).ms >= 59_000)).toEqual([true]);
});

/** Tells of progress until then. */
async function written(until: Promise<void>, onProgress: () => void): Promise<void> {
  const timer = setInterval(onProgress, 100);
  await until;
  clearInterval(timer);
}

/** Restorations of several instances, without what they write. */
function restorations(server: RedisServer) {
  const keys = redisKeys(`${randomUUID()}:`, { database: 0, isCluster: false });
  return (instanceId: string, peers: readonly string[] = []) => {
    let looks = 0;
    const restoration = new Restoration(
      {
        connection: {
          isCluster: false,
          async script(script, names, args) {
            const answer = await runScript(server.control, script, names, args);
            looks++;
            return answer;
          },
        },
        keys,
        instanceId,
        peers: () => peers,
        isRefused: () => false,
        onRestored: () => undefined,
        onError: (error) => {
          throw error;
        },
      },
      { deadAfterMs: 1000, minMs: 0 },
    );
    return { restoration, isRestored: () => restoration.isRestored, looks: () => looks, key: keys.restoration };
  };
}

test("an instance that starts meanwhile waits for those that others know of", async () => {
  await using server = await startRedis();
  const open = restorations(server);
  const [one, two, late] = [open("one", ["one", "two"]), open("two", ["one", "two"]), open("late")];
  const slow = Promise.withResolvers<void>();
  one.restoration.begin("epoch", []);
  await expect.poll(() => server.control.keys("*restoration"), PATIENTLY).toHaveLength(1);
  late.restoration.met("epoch", true);
  two.restoration.begin("epoch", [(onProgress) => written(slow.promise, onProgress)]);
  // Each looks some times, and finds it unfinished.
  await expect.poll(() => [one, two, late].map(({ looks }) => looks() > 12), PATIENTLY).toEqual([true, true, true]);
  expect([one, two, late].map(({ isRestored }) => isRestored())).toEqual([false, false, false]);
  slow.resolve();
  await Promise.all([one, two, late].map(({ restoration }) => restoration.restored()));
  const after = open("after");
  after.restoration.met("epoch", true);
  await after.restoration.restored();
  for (const { restoration } of [one, two, late, after]) restoration.close();
});

test("an instance that shows nothing any more is not waited for in the end, by nobody", async () => {
  await using server = await startRedis();
  const open = restorations(server);
  const [one, late] = [open("one", ["one", "dead"]), open("late")];
  one.restoration.begin("epoch", []);
  await one.restoration.restored();
  expect(one.looks()).toBeGreaterThan(4);
  late.restoration.met("epoch", true);
  await late.restoration.restored();
  expect(late.looks()).toBe(1);
  for (const { restoration } of [one, late]) restoration.close();
});

test("an instance that cannot write any of it is not waited for in the end either", async () => {
  await using server = await startRedis();
  const open = restorations(server);
  const [stuck, other] = [open("stuck", ["stuck", "other"]), open("other", ["stuck", "other"])];
  stuck.restoration.begin("epoch", [() => new Promise(() => undefined)]);
  other.restoration.begin("epoch", []);
  await Promise.all([stuck, other].map(({ restoration }) => restoration.restored()));
  for (const { looks, restoration } of [stuck, other]) {
    expect(looks()).toBeGreaterThan(4);
    restoration.close();
  }
});

test("another loss ends the wait for what was before it", async () => {
  await using server = await startRedis();
  const { restoration } = restorations(server)("one");
  restoration.begin("first", [() => new Promise(() => undefined)]);
  restoration.begin("second", []);
  await restoration.restored();
  expect(restoration.restoredEpochs).toContain("second");
  restoration.close();
});

test("an instance learns whether others have waited for it", async () => {
  await using server = await startRedis();
  const open = restorations(server);
  const [one, two] = [open("one", ["one", "two", "late"]), open("two", ["one", "two", "late"])];
  const [late, unknown] = [open("late"), open("unknown")];
  const answers: (readonly [string, boolean])[] = [];
  const begin = ({ restoration }: typeof one, name: string): Promise<void> => {
    restoration.begin("epoch", [async (_, isLate) => void answers.push([name, await isLate])]);
    return restoration.restored();
  };
  // The first one has written all that it had before the second one begins.
  const first = begin(one, "one");
  await expect.poll(() => server.control.hvals(one.key), PATIENTLY).toContain("done");
  await Promise.all([first, begin(two, "two")]);
  await begin(late, "late");
  await begin(unknown, "unknown");
  expect(answers).toEqual([
    ["one", false],
    ["two", false],
    ["late", true],
    ["unknown", true],
  ]);
  for (const { restoration } of [one, two, late, unknown]) restoration.close();
});
