/** Databases of one server are apart, though its channels are common to them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { startSentinels } from "../support/sentinel.ts";
import { family, opener, PATIENTLY, record, type TestBus } from "./redis-scene.ts";

const DATABASES = [0, 1, 2];

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Publishes everything on each and expects that nobody but its own database has any of it. */
async function expectApart(buses: readonly TestBus[]): Promise<void> {
  const histories = await Promise.all(buses.map((bus) => record(bus)));
  for (const [n, bus] of buses.entries()) {
    await bus.publish("topic", { n: 10 * n });
    await bus.publish("topic", { n: 10 * n + 1 });
    await bus.publish("topic", { n: 10 * n + 2, kind: "transient" });
    await bus.state.set("key", n, 60_000);
    await bus.presence.enter({ id: `user ${n}`, name: "" }, "lease");
    // What the others had published before this one has gone by.
    await bus.publish("topic", { n: 10 * n + 3 });
  }
  for (const [n, bus] of buses.entries()) {
    await expect.poll(() => histories[n]?.numbers.length, PATIENTLY).toBe(4);
    expect(histories[n]?.numbers).toEqual([10 * n, 10 * n + 1, 10 * n + 2, 10 * n + 3]);
    const logged = (await bus.log.tail("topic")).entries.map(({ event }) => event.n);
    expect(logged).toEqual([10 * n, 10 * n + 1, 10 * n + 3]);
    expect(await bus.state.get("key")).toBe(n);
    const users = await bus.presence.read(buses.map((_, other) => `user ${other}`));
    expect(users.map((state) => state?.online)).toEqual(buses.map((_, other) => other === n));
  }
}

test("databases of one server share nothing, with one prefix", async () => {
  await using stack = new AsyncDisposableStack();
  const open = family(server.url);
  const buses = [];
  for (const n of DATABASES) buses.push(stack.use(await open({ url: `${server.url}/${n}` })));
  await expectApart(buses);
});

test("databases behind Sentinel share nothing, with one prefix", async () => {
  await using sentinels = await startSentinels();
  await using stack = new AsyncDisposableStack();
  const open = family(sentinels.url);
  const buses = [];
  for (const n of DATABASES) {
    buses.push(stack.use(await open({ url: sentinels.url.replace("/0?", `/${n}?`) })));
  }
  await expectApart(buses);
});

test("a database that the server does not have is refused, and no other is used", async () => {
  const errors: unknown[] = [];
  await server.control.flushall();
  await using bus = await opener(`${server.url}/16`)({ onOutage: (error) => void errors.push(error) });
  await expect.poll(() => String(errors), PATIENTLY).toContain("DB index is out of range");
  expect(bus.isConnected).toBe(false);
  expect(await server.control.info("keyspace")).not.toContain("db0");
});

test("a cluster has no database but 0", async () => {
  const url = `${server.url},127.0.0.1/1`;
  await expect(family(url)()).rejects.toThrow("a database of a Redis Cluster, which has only 0");
});
