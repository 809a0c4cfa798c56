/** Redis as it is found elsewhere: with a password, behind TLS, as a cluster. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startRedisCluster, type RedisCluster } from "../support/redis-cluster.ts";
import { startRedis } from "../support/redis.ts";
import { startLoneSentinel } from "../support/sentinel.ts";
import { family, numbers, opener, PATIENTLY, record, type TestBus } from "./redis-scene.ts";

/** Events pass over each node of the cluster. */
async function expectOnEveryNode(cluster: RedisCluster, bus: TestBus): Promise<void> {
  const topics = await Promise.all(cluster.nodes.map((_, index) => cluster.nameOn(index)));
  for (const topic of topics) {
    const given = await record(bus, topic);
    await bus.publish(topic, { n: 1 });
    await expect.poll(() => given.numbers, PATIENTLY).toEqual([1]);
  }
}

test("with a password", async () => {
  await using server = await startRedis({ password: "s3cret" });
  await using bus = await family(server.url)();
  expect(bus.isConnected).toBe(true);
  await bus.state.set("key", 1, 60_000);
  expect(await bus.state.get("key")).toBe(1);
  const errors: unknown[] = [];
  await using stranger = await opener(server.url.replace("s3cret", "guess"))({
    onOutage: (error) => void errors.push(error),
  });
  await expect.poll(() => String(errors), PATIENTLY).toContain("WRONGPASS");
  expect(stranger.isConnected).toBe(false);
});

test("over TLS, whose certificate is checked", async () => {
  await using server = await startRedis({ tls: true });
  const errors: unknown[] = [];
  await using distrustful = await opener(server.url)({ onOutage: (error) => void errors.push(error) });
  await expect.poll(() => String(errors), PATIENTLY).toMatch(/self.signed/);
  expect(distrustful.isConnected).toBe(false);
  await using bus = await family(server.url, { tls: { ca: server.certificate ?? "" } })();
  const given = await record(bus);
  await bus.publish("topic", { n: 1 });
  await expect.poll(() => given.numbers, PATIENTLY).toEqual([1]);
});

test.each(["rediss", "rediss+cluster"])("%s:// tells the server which name it is reached by", async (scheme) => {
  const names: string[] = [];
  const server = createServer({
    SNICallback(name, done) {
      names.push(name);
      done(new Error("that is all"));
    },
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => void server.close());
  await using bus = await opener(`${scheme}://localhost:${port}`)();
  await expect.poll(() => names.length, PATIENTLY).toBeGreaterThan(0);
  expect(bus.isConnected).toBe(false);
  expect(new Set(names)).toEqual(new Set(["localhost"]));
});

test("by an IPv6 address", async () => {
  await using server = await startRedis();
  // As long as the machine knows IPv6 at all: this one leads to 127.0.0.1.
  await using bus = await family(`redis://[::ffff:127.0.0.1]:${server.port}`)();
  expect(bus.isConnected).toBe(true);
});

test("over TLS alone, to a sentinel and to the master that it names", async () => {
  await using server = await startRedis({ tls: true });
  await using sentinel = await startLoneSentinel(server, { tls: true });
  const errors: unknown[] = [];
  await using distrustful = await opener(sentinel.url, {
    tls: { ca: sentinel.certificate ?? "" },
  })({ onOutage: (error) => void errors.push(error) });
  await expect.poll(() => String(errors), { ...PATIENTLY, message: "of the master" }).toMatch(/self.signed/);
  expect(distrustful.isConnected).toBe(false);
  const ca = [server.certificate ?? "", sentinel.certificate ?? ""];
  await using bus = await family(sentinel.url, { tls: { ca } })();
  const given = await record(bus);
  await bus.publish("topic", { n: 1 });
  await expect.poll(() => given.numbers, PATIENTLY).toEqual([1]);
});

describe("a cluster", () => {
  test("one of whose hosts does not resolve is reached by the others", async () => {
    await using cluster = await startRedisCluster();
    const [{ port }] = cluster.nodes;
    await using bus = await family(`redis://nowhere.invalid:6379,localhost:${port}`)();
    await expectOnEveryNode(cluster, bus);
  });

  test("over TLS, whose certificates are for names, is reached by these names", async () => {
    await using cluster = await startRedisCluster({ tls: true });
    await using bus = await family(cluster.url, { tls: { ca: cluster.certificate ?? "" } })();
    await expectOnEveryNode(cluster, bus);
  });

  test("is reached by one endpoint, which is told to be a cluster's", async () => {
    await using cluster = await startRedisCluster();
    await using bus = await family(`redis+cluster://127.0.0.1:${cluster.nodes[1].port}`)();
    await expectOnEveryNode(cluster, bus);
  });

  test("serves everything, on whichever node it lies", async () => {
    await using cluster = await startRedisCluster();
    const open = family(cluster.url);
    await using one = await open();
    await using other = await open();
    const topics = numbers(12).map((n) => `chat:${n}`);
    const histories = await Promise.all(topics.map((topic) => record(other, topic)));
    for (const n of numbers(10)) await Promise.all(topics.map((topic) => one.publish(topic, { n })));
    for (const history of histories) {
      await expect.poll(() => history.numbers, PATIENTLY).toEqual(numbers(10));
      expect(history.positions).toEqual(history.positions.map(String).toSorted());
    }
    for (const [index, topic] of topics.entries()) {
      const positions = histories[index]?.positions ?? [];
      // A node of a cluster that has just come about may be away for a moment.
      const tail = await eventually(() => one.log.tail(topic));
      expect(tail.entries.map(({ position }) => position)).toEqual(positions);
    }
    const users = topics.map((id) => ({ id, name: id }));
    for (const user of users) expect(await one.presence.enter(user, "lease")).toBe(true);
    expect((await other.presence.read(topics)).every((state) => state?.online)).toBe(true);
    for (const key of topics) {
      await one.state.set(key, key, 60_000);
      await one.fenced.put(key, "me", key, 60_000, 60_000);
      await one.expiringSets.put(key, "me", key, 60_000);
      expect([await other.state.get(key), await other.fenced.take(key, "you", undefined, 60_000, 60_000)]).toEqual([
        key,
        { status: "found", value: key },
      ]);
    }
    expect(await other.expiringSets.list(topics)).toEqual(topics.map((key) => [key]));
    const [one1, other1] = [one, other].map((bus) => bus.limiter({ count: 1, windowMs: 60_000 }));
    expect(await one1?.("anna")).toBe(0);
    expect(await other1?.("anna")).toBeGreaterThan(0);
  });

  test("a subscriber whose node cuts it off reads what it missed", async () => {
    await using cluster = await startRedisCluster();
    const open = family(cluster.url);
    await using publisher = await open();
    await using other = await open();
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
