/** A master that is replaced: its sentinels say by whom, and everybody goes there, with all that was published meanwhile. */
import { test, type ExpectStatic } from "vitest";
import type { RedisServer } from "../support/redis.ts";
import { startSentinels, type Sentinels } from "../support/sentinel.ts";
import { family, numbers, PATIENTLY, publishSteadily, record, type TestBus } from "./redis-scene.ts";

const MORE_PATIENTLY = { ...PATIENTLY, timeout: 75_000 };

/** Two buses, of which one publishes all the time, and both listen. */
interface Scene extends Sentinels {
  readonly publisher: TestBus;
  /** How often each was told that Redis was back, and that it was another one. */
  readonly replaced: readonly [number, number];
  /** Resolves when the other bus has heard so many more. */
  flows(): Promise<void>;
  /** Resolves when the master is gone, that server is named in its place, and events flow there. */
  replacedBy(server: RedisServer): Promise<void>;
  /** Everything that was published has arrived everywhere, once, in order. */
  expectWhole(): Promise<void>;
}

/** @param expect the test's own: they run at the same time. */
async function startScene(expect: ExpectStatic): Promise<Scene> {
  await using starting = new AsyncDisposableStack();
  const sentinels = starting.use(await startSentinels());
  const open = family(sentinels.url);
  const publisher = starting.use(await open());
  const other = starting.use(await open());
  const histories = await Promise.all([record(publisher), record(other)]);
  const replaced: [number, number] = [0, 0];
  publisher.observe({ restored: (isEmptied) => void (replaced[0] += Number(isEmptied)) });
  other.observe({ restored: (isEmptied) => void (replaced[1] += Number(isEmptied)) });
  const load = publishSteadily(publisher, { paceMs: 40, readers: histories });
  starting.defer(async () => void (await load.stop()));
  const [, there] = histories;
  const started = starting.move();
  const flows = async (): Promise<void> => {
    const had = there.numbers.length;
    await expect.poll(() => there.numbers.length, MORE_PATIENTLY).toBeGreaterThan(had + 50);
  };
  return {
    ...sentinels,
    publisher,
    replaced,
    flows,
    async replacedBy(server) {
      await expect.poll(() => publisher.isConnected, MORE_PATIENTLY).toBe(false);
      await sentinels.named(server);
      await flows();
    },
    async expectWhole() {
      const count = await load.stop();
      for (const { numbers: given } of histories) {
        await expect.poll(() => given.length, MORE_PATIENTLY).toBe(count);
        expect(given).toEqual(numbers(count));
      }
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

test.concurrent("a killed master: instances follow the promoted replica, nothing is lost", async ({ expect }) => {
  await using scene = await startScene(expect);
  const [master, replica] = scene.servers;
  await scene.flows();
  await master.kill();
  await scene.replacedBy(replica);
  await scene.expectWhole();
  await expect.poll(() => scene.replaced, MORE_PATIENTLY).toEqual([1, 1]);
});

test.concurrent("a master that holds still: the same, and nobody listens to it afterwards", async ({ expect }) => {
  await using scene = await startScene(expect);
  const [master, replica] = scene.servers;
  await scene.flows();
  master.pause();
  try {
    await scene.replacedBy(replica);
  } finally {
    master.resume();
  }
  await scene.follows(master);
  await scene.flows();
  await scene.expectWhole();
  await expect.poll(() => scene.replaced, MORE_PATIENTLY).toEqual([1, 1]);
});

test.concurrent("a master that is replaced while it lives: the same, there and back", async ({ expect }) => {
  await using scene = await startScene(expect);
  const [master, replica] = scene.servers;
  await scene.flows();
  for (const [next, last] of [
    [replica, master],
    [master, replica],
  ] as const) {
    await scene.failover();
    await scene.named(next);
    await scene.follows(last);
    await scene.flows();
  }
  await scene.expectWhole();
  // The one that they are back with has not been told everything that the one between was.
  await expect.poll(() => scene.replaced, MORE_PATIENTLY).toEqual([2, 2]);
});

test.concurrent("a sentinel that has fallen silent is not waited for", async ({ expect }) => {
  await using scene = await startScene(expect);
  const [master, replica] = scene.servers;
  await scene.flows();
  scene.silenceOne();
  await master.kill();
  await scene.replacedBy(replica);
  await scene.expectWhole();
});
