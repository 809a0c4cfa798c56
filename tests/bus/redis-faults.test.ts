/** What becomes of events when Redis, or the way to it, fails. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BusUnavailable } from "../../src/bus/bus.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { connected, family, numbers, PATIENTLY, publishSteadily, record, took } from "./redis-scene.ts";

describe("a Redis that stays", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("subscribers whose connection is cut again and again under load miss nothing, get nothing twice, all in order", async () => {
    const open = family(server.url);
    await using publisher = await open();
    await using one = await open();
    await using other = await open();
    const histories = await Promise.all([record(publisher), record(one), record(other)]);
    const load = publishSteadily(publisher);
    for (let cut = 0; cut < 5; cut++) {
      const seen = histories[1].numbers.length;
      await server.control.client("KILL", "TYPE", "pubsub");
      await expect.poll(() => histories[1].numbers.length, PATIENTLY).toBeGreaterThan(seen + 50);
    }
    const count = await load.stop();
    for (const { numbers: given, positions, missed } of histories) {
      await expect.poll(() => given.length, PATIENTLY).toBe(count);
      expect(given).toEqual(numbers(count));
      expect(positions).toEqual(positions.map(String).toSorted());
      expect(missed).toEqual([]);
    }
    expect(one.statistics.outages).toBeGreaterThanOrEqual(5);
  });

  test("every connection cut again and again under load: nothing is missed, or comes twice, or in another order", async () => {
    const open = family(server.url);
    await using publisher = await open();
    await using one = await open();
    const histories = await Promise.all([record(publisher), record(one)]);
    const load = publishSteadily(publisher);
    for (let cut = 0; cut < 5; cut++) {
      const seen = histories[1].numbers.length;
      await server.control.client("KILL", "TYPE", "normal", "SKIPME", "yes");
      await server.control.client("KILL", "TYPE", "pubsub");
      await expect.poll(() => histories[1].numbers.length, PATIENTLY).toBeGreaterThan(seen + 50);
    }
    const count = await load.stop();
    for (const { numbers: given, missed } of histories) {
      await expect.poll(() => given.length, PATIENTLY).toBe(count);
      expect(given).toEqual(numbers(count));
      expect(missed).toEqual([]);
    }
  });

  test("a silent Redis: answers in bounded time, events here at once, and for the others when it speaks again", async () => {
    const open = family(server.url);
    await using publisher = await open();
    await using other = await open();
    const [here, there] = await Promise.all([record(publisher), record(other)]);
    server.pause();
    try {
      const slowest = Math.max(
        ...(await Promise.all(numbers(20).map((n) => took(() => publisher.publish("topic", { n }))))),
      );
      expect(slowest).toBeLessThan(1500);
      expect(here.numbers).toEqual(numbers(20));
      expect(publisher.isConnected).toBe(false);
      expect(await publisher.publish("topic", { n: 20 })).toEqual({ reach: "here", position: undefined });
      expect(here.numbers).toEqual(numbers(21));
      expect(there.numbers).toEqual([]);
      expect(publisher.statistics.queued).toBe(21);
    } finally {
      server.resume();
    }
    await expect.poll(() => there.numbers, PATIENTLY).toEqual(numbers(21));
    await connected(publisher);
    await publisher.publish("topic", { n: 21 });
    await expect.poll(() => here.numbers, PATIENTLY).toEqual(numbers(22));
    await expect.poll(() => there.numbers, PATIENTLY).toEqual(numbers(22));
    expect([here.missed, there.missed, publisher.statistics.queued]).toEqual([[], [], 0]);
  });

  test("a subscriber that is heard of by nobody, though its connection looks open, reads what it missed", async () => {
    await using relay = await startRelay(server.url);
    const open = family(server.url);
    await using publisher = await open();
    await using deaf = await open({ url: relay.url });
    const there = await record(deaf);
    await publisher.publish("topic", { n: 0 });
    await expect.poll(() => there.numbers, PATIENTLY).toEqual([0]);
    relay.freeze();
    for (const n of numbers(10, 1)) await publisher.publish("topic", { n });
    await connected(deaf, false);
    relay.thaw();
    relay.cut();
    await expect.poll(() => there.numbers, PATIENTLY).toEqual(numbers(11));
    expect(there.missed).toEqual([]);
  });

  test("what is published here while only the way out is gone keeps its order for everybody", async () => {
    await using relay = await startRelay(server.url);
    const open = family(server.url);
    await using publisher = await open({ url: relay.url });
    await using other = await open();
    const [here, there] = await Promise.all([record(publisher), record(other)]);
    await publisher.publish("topic", { n: 0 });
    relay.freeze();
    relay.cut();
    await connected(publisher, false);
    const restored = new Promise<boolean>((resolve) => {
      publisher.observe({ restored: resolve });
    });
    for (const n of numbers(9, 1)) {
      expect((await publisher.publish("topic", { n })).reach).toBe("here");
      await publisher.publish("topic", { n: -n, kind: "transient" });
      await publisher.publish("topic", { n: 1000 + n, kind: "queued" });
    }
    expect(here.numbers.filter((n) => n >= 0 && n < 1000)).toEqual(numbers(10));
    expect(here.numbers).toHaveLength(28);
    relay.thaw();
    expect(await restored).toBe(false);
    await publisher.publish("topic", { n: 10 });
    await expect.poll(() => there.numbers.at(-1), PATIENTLY).toBe(10);
    expect(there.numbers).toEqual([0, ...numbers(9, 1).flatMap((n) => [n, 1000 + n]), 10]);
    await expect.poll(() => here.numbers.at(-1), PATIENTLY).toBe(10);
    expect(here.numbers).toHaveLength(29);
  });

  test("garbage on a channel is counted, and harms nobody", async () => {
    const open = family(server.url, { prefix: "garbage:" });
    await using bus = await open();
    const given = await record(bus);
    const payloads = ["", "hello", "null", "7", "[]", "{}", '{"event":{}}', '{"event":{"n":1}}', "\0\xff"];
    payloads.push(
      '{"event":{"n":1},"position":"1-1"}',
      '{"event":{"n":"1"},"position":"000000000000001-000000000001"}',
    );
    for (const payload of payloads) {
      expect(await server.control.publish("garbage:events:{topic}", payload)).toBe(1);
    }
    await server.control.xadd("garbage:log:{topic}", "*", "event", "not JSON");
    await bus.publish("topic", { n: 1 });
    await expect.poll(() => given.numbers, PATIENTLY).toEqual([1]);
    expect(bus.statistics.garbage).toBe(payloads.length);
    expect((await bus.log.tail("topic")).entries.map(({ event }) => event.n)).toEqual([1]);
    expect(bus.statistics.garbage).toBe(payloads.length + 1);
  });

  test("buses with different prefixes know nothing of each other", async () => {
    await using one = await family(server.url)();
    await using other = await family(server.url)();
    const [here, there] = await Promise.all([record(one), record(other)]);
    await one.publish("topic", { n: 1 });
    await one.state.set("key", 1, 60_000);
    await one.presence.enter({ id: "anna", name: "Anna" }, "lease");
    await other.publish("topic", { n: 2 });
    await expect.poll(() => [here.numbers, there.numbers], PATIENTLY).toEqual([[1], [2]]);
    expect(await other.state.get("key")).toBeUndefined();
    expect(await other.presence.read(["anna"])).toEqual([{ online: false, lastSeenAt: undefined }]);
    expect((await other.log.tail("topic")).entries).toHaveLength(1);
  });

  test("a server that has forgotten its scripts is told them again, and the order stays", async () => {
    await using bus = await family(server.url)();
    const given = await record(bus);
    await bus.publish("topic", { n: 0 });
    await server.control.script("FLUSH");
    await Promise.all(numbers(300, 1).map((n) => bus.publish("topic", { n })));
    await bus.owned.put("key", "me", 1, 60_000);
    await expect.poll(() => given.numbers, PATIENTLY).toEqual(numbers(301));
  });

  test("a channel of Redis is listened to while somebody listens here, and a while longer", async () => {
    await using bus = await family(server.url, { prefix: "channels:" })();
    const unsubscribes = await Promise.all(numbers(3).map(() => bus.subscribe("topic", { receive: () => undefined })));
    const subscribers = async (): Promise<unknown> =>
      (await server.control.pubsub("NUMSUB", "channels:events:{topic}"))[1];
    expect(await subscribers()).toBe(1);
    for (const unsubscribe of unsubscribes) await unsubscribe();
    expect(await subscribers()).toBe(1);
    await expect.poll(subscribers, PATIENTLY).toBe(0);
  });
});

describe("a Redis that dies", () => {
  test("and comes back empty, under load: nothing is lost or comes twice, all in order, and everybody is told", async () => {
    await using server = await startRedis();
    const open = family(server.url);
    await using publisher = await open();
    await using other = await open();
    const [here, there] = await Promise.all([record(publisher), record(other)]);
    const restored: boolean[] = [];
    other.observe({ restored: (isEmptied) => void restored.push(isEmptied) });
    const load = publishSteadily(publisher);
    await expect.poll(() => there.numbers.length, PATIENTLY).toBeGreaterThan(100);
    await server.kill();
    await connected(publisher, false);
    const alone = here.numbers.length;
    await expect.poll(() => here.numbers.length, PATIENTLY).toBeGreaterThan(alone + 100);
    await server.restart();
    await connected(publisher);
    await connected(other);
    const count = await load.stop();
    for (const given of [here.numbers, there.numbers]) {
      await expect.poll(() => given.length, PATIENTLY).toBe(count);
      expect(given).toEqual(numbers(count));
    }
    expect(restored).toEqual([true]);
    expect(there.missed.length).toBeGreaterThan(0);
    const { entries } = await other.log.tail("topic");
    expect(entries.at(-1)?.event.n).toBe(count - 1);
  });

  test("and comes back from an old snapshot: nothing is missing or comes twice, and the log does not vouch for what was before", async () => {
    await using server = await startRedis();
    const open = family(server.url);
    await using publisher = await open();
    await using other = await open();
    const there = await record(other);
    for (const n of numbers(10)) await publisher.publish("topic", { n });
    await server.control.save();
    for (const n of numbers(10, 10)) await publisher.publish("topic", { n });
    await expect.poll(() => there.numbers.length, PATIENTLY).toBe(20);
    await server.kill();
    await connected(other, false);
    await server.restart();
    await connected(publisher);
    await connected(other);
    await publisher.publish("topic", { n: 20 });
    await expect.poll(() => there.numbers.at(-1), PATIENTLY).toBe(20);
    expect(there.numbers).toEqual(numbers(21));
    expect(await other.log.read("topic", there.positions[5] ?? "")).toBeUndefined();
    const { since, entries } = await other.log.tail("topic");
    expect(since > String(there.positions[19])).toBe(true);
    expect(entries.at(-1)?.event.n).toBe(20);
  });

  test("and comes back from an old snapshot when nobody remembers what was published since: who had not got it is told", async () => {
    await using server = await startRedis();
    await using relay = await startRelay(server.url);
    const open = family(server.url);
    await using other = await open({ url: relay.url });
    const there = await record(other);
    {
      await using publisher = await open();
      await publisher.publish("topic", { n: 0 });
      await expect.poll(() => there.numbers, PATIENTLY).toEqual([0]);
      await server.control.save();
      relay.freeze();
      await publisher.publish("topic", { n: 1 });
    }
    await server.kill();
    await connected(other, false);
    await server.restart();
    // What the relay holds is gone with the connections.
    relay.cut();
    relay.thaw();
    await connected(other);
    await other.publish("topic", { n: 2 });
    await expect.poll(() => there.numbers.at(-1), PATIENTLY).toBe(2);
    expect(there.numbers).toEqual([0, 2]);
    expect(there.missed.length).toBeGreaterThan(0);
    expect(await other.log.read("topic", there.positions[0] ?? "")).toBeUndefined();
  });

  test("is found out in bounded time by whoever asks for something, and nothing hangs", async () => {
    await using server = await startRedis();
    await using bus = await family(server.url)();
    await record(bus);
    const limiter = bus.limiter({ count: 1, windowMs: 60_000 });
    await limiter("anna");
    await bus.presence.enter({ id: "anna", name: "Anna" }, "lease");
    server.pause();
    const askEverything = async (): Promise<unknown[]> => {
      const refused = [
        bus.log.read("another", "000000000000001-000000000001"),
        bus.log.tail("another"),
        bus.state.get("key"),
        bus.state.set("key", 1, 1),
        bus.state.claim("key", 1),
        bus.state.release("key"),
        bus.owned.take("key", "me", 1),
        bus.owned.put("key", "me", 1, 1),
        bus.owned.drop("key", "me"),
        bus.rosters.put("roster", "me", 1, 1),
        bus.rosters.remove("roster", "me"),
        bus.rosters.list(["roster"]),
        bus.presence.read(["anna"]),
      ];
      const answered = Promise.all([
        bus.presence.enter({ id: "ben", name: "Ben" }, "lease"),
        bus.presence.leave("anna", "lease"),
        bus.presence.settle("zoe"),
        limiter("ben"),
        limiter("ben"),
        bus.publish("topic", { n: Math.random() }),
        bus.subscribe(`topic ${Math.random()}`, { receive: () => undefined }),
      ]);
      const outcomes = await Promise.allSettled(refused);
      await answered;
      return outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason instanceof BusUnavailable);
    };
    expect(await took(async () => expect(await askEverything()).not.toContain(false))).toBeLessThan(2000);
    // By now it is known.
    expect(await took(async () => expect(await askEverything()).not.toContain(false))).toBeLessThan(200);
    await server.kill();
    expect(await took(async () => expect(await askEverything()).not.toContain(false))).toBeLessThan(200);
    expect(await took(() => bus.close())).toBeLessThan(1500);
  });

  test("is not waited for at the start, and what was done meanwhile is made good", async () => {
    await using server = await startRedis();
    const open = family(server.url);
    await server.kill();
    let early: Awaited<ReturnType<typeof open>> | undefined;
    expect(await took(async () => (early = await open()))).toBeLessThan(2500);
    if (!early) throw new Error("it did not start");
    await using bus = early;
    expect(bus.isConnected).toBe(false);
    const here = await record(bus);
    expect(await bus.publish("topic", { n: 1 })).toEqual({ reach: "here", position: undefined });
    expect(here.numbers).toEqual([1]);
    const restored = new Promise<boolean>((resolve) => {
      bus.observe({ restored: resolve });
    });
    await server.restart();
    expect(await restored).toBe(false);
    await using other = await open();
    await record(other);
    await expect.poll(async () => (await other.log.tail("topic")).entries.length, PATIENTLY).toBe(1);
    await other.publish("topic", { n: 2 });
    await expect.poll(() => here.numbers, PATIENTLY).toEqual([1, 2]);
  });

  test("does not keep a bus from closing, nor is it missed afterwards", async () => {
    await using server = await startRedis();
    const open = family(server.url);
    const buses = await Promise.all([open(), open(), open()]);
    const unsubscribes = await Promise.all(buses.map((bus) => bus.subscribe("topic", { receive: () => undefined })));
    const [dead, silent, restarting] = buses;
    server.pause();
    expect(await took(() => silent.close())).toBeLessThan(4000);
    server.resume();
    await server.kill();
    void dead.publish("topic", { n: 1 });
    expect(await took(() => dead.close())).toBeLessThan(1500);
    await Promise.all([server.restart(), restarting.close()]);
    for (const unsubscribe of unsubscribes) await expect(unsubscribe()).resolves.toBeUndefined();
    for (const bus of buses) await expect(bus.publish("topic", { n: 2 })).rejects.toThrow("closed");
  });

  test("costs the oldest events where too many wait", async () => {
    await using server = await startRedis();
    const givenUp: number[] = [];
    const open = family(server.url);
    await using bus = await open({ onGivenUp: (count) => void givenUp.push(count) });
    await using other = await open();
    const there = await record(other);
    await server.kill();
    await connected(bus, false);
    for (const n of numbers(11_000)) await bus.publish("topic", { n });
    expect(bus.statistics.queued).toBe(10_000);
    expect(givenUp).toEqual([1000]);
    await server.restart();
    await expect.poll(() => there.numbers.at(-1), PATIENTLY).toBe(10_999);
    // The log is shorter than what waited: who is back a little later than the publisher has what is left of it, and is told so.
    const [first = 0] = there.numbers;
    expect(first === 1000 || there.missed.length > 0).toBe(true);
    expect(there.numbers).toEqual(numbers(11_000 - first, first));
    expect(first).toBeGreaterThanOrEqual(1000);
    expect(bus.statistics.queued).toBe(0);
  });
});
