/** Redis as it is found elsewhere: with a password, behind TLS, as a cluster. */
import { describe, expect, test } from "vitest";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { startRedis } from "../support/redis.ts";
import { startSecureSentinel } from "../support/sentinel.ts";
import { connected, family, numbers, PATIENTLY, record } from "./redis-scene.ts";

test("with a password", async () => {
  await using server = await startRedis({ password: "s3cret" });
  await using bus = await family(server.url)();
  expect(bus.isConnected).toBe(true);
  await bus.state.set("key", 1, 60_000);
  expect(await bus.state.get("key")).toBe(1);
  const errors: unknown[] = [];
  await using stranger = await family(server.url.replace("s3cret", "guess"))({
    onOutage: (error) => void errors.push(error),
  });
  expect(stranger.isConnected).toBe(false);
  expect(String(errors[0])).toContain("WRONGPASS");
});

test("over TLS, whose certificate is checked", async () => {
  await using server = await startRedis({ tls: true });
  const errors: unknown[] = [];
  await using distrustful = await family(server.url)({ onOutage: (error) => void errors.push(error) });
  expect(distrustful.isConnected).toBe(false);
  expect(String(errors[0])).toMatch(/self.signed/);
  await using bus = await family(server.url, { tls: { ca: server.certificate ?? "" } })();
  const given = await record(bus);
  await bus.publish("topic", { n: 1 });
  await expect.poll(() => given.numbers, PATIENTLY).toEqual([1]);
});

test("over TLS, to a sentinel and to the master that it names, which takes nothing else", async () => {
  await using server = await startRedis({ tls: true });
  await using sentinel = await startSecureSentinel(server);
  const errors: unknown[] = [];
  await using distrustful = await family(sentinel.url, {
    tls: { ca: sentinel.certificate },
  })({ onOutage: (error) => void errors.push(error) });
  expect(distrustful.isConnected).toBe(false);
  expect(String(errors[0]), "of the master").toMatch(/self.signed/);
  const ca = [server.certificate ?? "", sentinel.certificate];
  await using bus = await family(sentinel.url, { tls: { ca } })();
  await connected(bus);
  const given = await record(bus);
  await bus.publish("topic", { n: 1 });
  await expect.poll(() => given.numbers, PATIENTLY).toEqual([1]);
});

describe("a cluster", () => {
  test("serves everything, on whichever node it lies", async () => {
    await using cluster = await startRedisCluster();
    const open = family(cluster.url);
    await using one = await open();
    await using other = await open();
    await connected(one);
    await connected(other);
    const topics = numbers(12).map((n) => `chat:${n}`);
    const histories = await Promise.all(topics.map((topic) => record(other, topic)));
    for (const n of numbers(10)) await Promise.all(topics.map((topic) => one.publish(topic, { n })));
    for (const history of histories) {
      await expect.poll(() => history.numbers, PATIENTLY).toEqual(numbers(10));
      expect(history.positions).toEqual(history.positions.map(String).toSorted());
    }
    for (const [index, topic] of topics.entries()) {
      const positions = histories[index]?.positions ?? [];
      expect((await one.log.tail(topic)).entries.map(({ position }) => position)).toEqual(positions);
    }
    const users = topics.map((id) => ({ id, name: id }));
    for (const user of users) expect(await one.presence.enter(user, "lease")).toBe(true);
    expect((await other.presence.read(topics)).every(({ online }) => online)).toBe(true);
    for (const key of topics) {
      await one.state.set(key, key, 60_000);
      await one.owned.put(key, "me", key, 60_000);
      await one.rosters.put(key, "me", key, 60_000);
      expect([await other.state.get(key), await other.owned.take(key, "you", 60_000)]).toEqual([key, key]);
    }
    expect(await other.rosters.list(topics)).toEqual(topics.map((key) => [key]));
    const [one1, other1] = [one, other].map((bus) => bus.limiter({ count: 1, windowMs: 60_000 }));
    expect(await one1?.("anna")).toBe(0);
    expect(await other1?.("anna")).toBeGreaterThan(0);
  });

  test("a subscriber whose node cuts it off reads what it missed", async () => {
    await using cluster = await startRedisCluster();
    const open = family(cluster.url);
    await using publisher = await open();
    await using other = await open();
    await connected(publisher);
    await connected(other);
    // The log vouches for nothing from before its node's first seconds.
    for (const { control } of cluster.nodes) {
      await expect
        .poll(async () => Number(/uptime_in_seconds:(\d+)/.exec(await control.info("server"))?.[1]), PATIENTLY)
        .toBeGreaterThan(8);
    }
    const there = await record(other);
    let n = 0;
    for (let cut = 0; cut < 3; cut++) {
      for (let i = 0; i < 30; i++) {
        if (i === 10) for (const { control } of cluster.nodes) await control.client("KILL", "TYPE", "pubsub");
        await publisher.publish("topic", { n: n++ });
      }
      await expect.poll(() => there.numbers.length, PATIENTLY).toBe(n);
    }
    expect(there.numbers).toEqual(numbers(n));
    expect(there.missed).toEqual([]);
  });
});
