/** What becomes of events when Redis, or the way to it, fails. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BusUnavailable, type PublishResult, type RecoveredEvent } from "../../src/bus/bus.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import type { TestEvent } from "./events.ts";
import { connected, family, numbers, opener, PATIENTLY, publishSteadily, record } from "./redis-scene.ts";

describe("a Redis that stays", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("listeners cut off again and again under load miss, repeat and reorder nothing", async () => {
    const open = family(server.url);
    await using publisher = await open();
    await using one = await open();
    await using other = await open();
    const histories = await Promise.all([record(publisher), record(one), record(other)]);
    const load = publishSteadily(publisher, { readers: histories });
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

  test("every connection cut again and again under load: nothing lost, doubled, reordered", async () => {
    const open = family(server.url);
    await using publisher = await open();
    await using one = await open();
    const histories = await Promise.all([record(publisher), record(one)]);
    const load = publishSteadily(publisher, { readers: histories });
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

  test("a Redis that holds still delays every event, and loses and reorders none", async () => {
    const open = family(server.url);
    await using publisher = await open();
    await using other = await open();
    const [here, there] = await Promise.all([record(publisher), record(other)]);
    await publisher.publish("topic", { n: 0 });
    await expect.poll(() => here.numbers, PATIENTLY).toEqual([0]);
    server.pause();
    let published: Promise<PublishResult>[] = [];
    try {
      published = numbers(20, 1).map((n) => publisher.publish("topic", { n }));
      // Not ready is what is reported; nobody receives anything meanwhile, not even here.
      await connected(publisher, false);
      expect(here.numbers).toEqual([0]);
      expect(publisher.statistics).toMatchObject({ queued: 20, outages: 0 });
    } finally {
      server.resume();
    }
    expect(new Set((await Promise.all(published)).map(({ position }) => position)).size).toBe(20);
    await connected(publisher);
    await publisher.publish("topic", { n: 21 });
    for (const { numbers: given, positions } of [here, there]) {
      await expect.poll(() => given, PATIENTLY).toEqual(numbers(22));
      expect(positions).toEqual(positions.map(String).toSorted());
    }
    expect([here.positions, here.missed, there.missed]).toEqual([there.positions, [], []]);
    expect(publisher.statistics).toMatchObject({ queued: 0, outages: 0 });
  });

  test("a subscriber whose connection is silent though open reads what it missed", async () => {
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

  test("events of an instance that is cut off wait in order, then reach everybody", async () => {
    await using relay = await startRelay(server.url);
    const open = family(server.url);
    await using publisher = await open({ url: relay.url });
    await using other = await open();
    const [here, there] = await Promise.all([record(publisher), record(other)]);
    await publisher.publish("topic", { n: 0 });
    await expect.poll(() => here.numbers, PATIENTLY).toEqual([0]);
    relay.freeze();
    relay.cut();
    await connected(publisher, false);
    const restored = new Promise<boolean>((resolve) => {
      publisher.observe({ restored: resolve });
    });
    const published = numbers(9, 1).map((n) => publisher.publish("topic", { n }));
    expect(await publisher.publish("topic", { n: -1, kind: "transient" })).toEqual({
      position: undefined,
      isDropped: true,
    });
    await other.publish("topic", { n: 100 });
    await expect.poll(() => there.numbers, PATIENTLY).toEqual([0, 100]);
    expect(here.numbers).toEqual([0]);
    relay.thaw();
    expect(await restored).toBe(false);
    await Promise.all(published);
    await publisher.publish("topic", { n: 10 });
    for (const { numbers: given } of [here, there]) {
      await expect.poll(() => given, PATIENTLY).toEqual([0, 100, ...numbers(10, 1)]);
    }
    expect([here.positions, here.missed, there.missed]).toEqual([there.positions, [], []]);
  });

  test("a payload that cannot be decoded is counted, and harms nobody", async () => {
    const open = family(server.url, { prefix: "garbage:" });
    await using bus = await open();
    const given = await record(bus);
    const payloads = ["", "hello", "null", "7", "[]", "{}", '{"event":{}}', '{"event":{"n":1}}', "\0\xff"];
    payloads.push('{"last":"000000000000001-000000000001"}', '{"last":7,"epoch":"x"}');
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
    expect(bus.statistics.undecodable).toBe(payloads.length);
    expect((await bus.log.tail("topic")).entries.map(({ event }) => event.n)).toEqual([1]);
    expect(bus.statistics.undecodable).toBe(payloads.length + 1);
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

  test("scripts that the server has lost are sent again, and the order stays", async () => {
    await using bus = await family(server.url)();
    const given = await record(bus);
    await bus.publish("topic", { n: 0 });
    await server.control.script("FLUSH");
    await Promise.all(numbers(300, 1).map((n) => bus.publish("topic", { n })));
    await bus.fenced.put("key", "me", 1, 60_000, 60_000);
    await expect.poll(() => given.numbers, PATIENTLY).toEqual(numbers(301));
  });

  test("a channel stays subscribed while it has a listener, and a little longer", async () => {
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
  test("and comes back empty under load loses, doubles and reorders nothing", async () => {
    await using server = await startRedis();
    const open = family(server.url);
    await using publisher = await open();
    await using other = await open();
    const [here, there] = await Promise.all([record(publisher), record(other)]);
    const restored: boolean[] = [];
    other.observe({ restored: (isEmptied) => void restored.push(isEmptied) });
    const load = publishSteadily(publisher, { readers: [here, there] });
    await expect.poll(() => there.numbers.length, PATIENTLY).toBeGreaterThan(100);
    await server.kill();
    await connected(publisher, false);
    const alone = here.numbers.length;
    await expect.poll(() => publisher.statistics.queued, PATIENTLY).toBeGreaterThan(100);
    expect(here.numbers.length).toBe(alone);
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

  test("and comes back from an old snapshot loses nothing, and its log says what it lacks", async () => {
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

  test("and comes back from an old snapshot asks listeners for what no instance remembers", async () => {
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

  test("answers or refuses requests for shared values, and events wait", async () => {
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
        bus.fenced.take("key", "me", undefined, 1, 1),
        bus.fenced.put("key", "me", 1, 1, 1),
        bus.fenced.drop("key", "me"),
        bus.expiringSets.put("roster", "me", 1, 1),
        bus.expiringSets.remove("roster", "me"),
        bus.expiringSets.list(["roster"]),
        bus.presence.read(["anna"]),
      ];
      const answered = Promise.all([
        bus.presence.enter({ id: "ben", name: "Ben" }, "lease"),
        bus.presence.leave("anna", "lease"),
        bus.presence.settle("zoe"),
        limiter("ben"),
        limiter("ben"),
      ]);
      const outcomes = await Promise.allSettled(refused);
      await answered;
      return outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason instanceof BusUnavailable);
    };
    expect(await askEverything()).not.toContain(false);
    const waiting = bus.publish("topic", { n: 1 });
    await server.kill();
    await connected(bus, false);
    expect(await askEverything()).not.toContain(false);
    await server.restart();
    expect((await waiting).position).toBeDefined();
  });

  test("does not hold up the start, and what was published meanwhile arrives", async () => {
    await using server = await startRedis();
    const open = opener(server.url);
    await server.kill();
    await using bus = await open();
    expect(bus.isConnected).toBe(false);
    const here = await record(bus);
    const published = bus.publish("topic", { n: 1 });
    const restored = new Promise<boolean>((resolve) => {
      bus.observe({ restored: resolve });
    });
    await server.restart();
    expect(await restored).toBe(false);
    expect((await published).position).toBeDefined();
    await using other = await open();
    await connected(other);
    await record(other);
    await expect.poll(async () => (await other.log.tail("topic")).entries.length, PATIENTLY).toBe(1);
    await other.publish("topic", { n: 2 });
    await expect.poll(() => here.numbers, PATIENTLY).toEqual([1, 2]);
  });

  test("does not keep a bus from closing", async () => {
    await using server = await startRedis();
    const open = family(server.url);
    const buses = await Promise.all([open(), open(), open()]);
    const unsubscribes = await Promise.all(buses.map((bus) => bus.subscribe("topic", { receive: () => undefined })));
    const [dead, silent, restarting] = buses;
    server.pause();
    await silent.close();
    server.resume();
    await server.kill();
    void dead.publish("topic", { n: 1 });
    await dead.close();
    await Promise.all([server.restart(), restarting.close()]);
    for (const unsubscribe of unsubscribes) await expect(unsubscribe()).resolves.toBeUndefined();
    for (const bus of buses) await expect(bus.publish("topic", { n: 2 })).rejects.toThrow("closed");
  });

  test("recovers events that could not wait from the listeners", async () => {
    await using server = await startRedis();
    const dropping: string[] = [];
    const open = family(server.url);
    await using bus = await open({ onDropping: (topic) => void dropping.push(topic) });
    await using other = await open();
    const known = numbers(10_100);
    const recover = async (): Promise<readonly RecoveredEvent<TestEvent>[]> =>
      known.slice(-150).map((n) => ({ event: { n }, atMs: Date.now() }));
    const received: number[] = [];
    await other.subscribe("topic", { receive: ({ n }) => void received.push(n), recover });
    const apart = await record(other, "another topic");
    await server.kill();
    await connected(bus, false);
    const results = known.map((n) => bus.publish("topic", { n }));
    void bus.publish("another topic", { n: 1 });
    expect(bus.statistics).toMatchObject({ queued: 10_000, dropped: 101 });
    expect(dropping).toEqual(["topic", "another topic"]);
    await server.restart();
    await expect.poll(() => received.length, PATIENTLY).toBeGreaterThanOrEqual(1000);
    await expect.poll(() => known.slice(-100).every((n) => received.includes(n)), PATIENTLY).toBe(true);
    expect(new Set(received).size).toBe(received.length);
    await expect.poll(() => apart.missed.length, PATIENTLY).toBeGreaterThan(0);
    expect((await Promise.all(results)).filter(({ isDropped }) => isDropped)).toHaveLength(100);
    expect(bus.statistics).toMatchObject({ queued: 0, dropped: 101 });
  });

  test("recovers nothing that waited beside a flood of transient events", async () => {
    await using server = await startRedis();
    const dropping: string[] = [];
    await using bus = await family(server.url)({ onDropping: (topic) => void dropping.push(topic) });
    const history = await record(bus);
    server.pause();
    const flood = numbers(20_000, 1).map((n) => bus.publish("flood", { n, kind: "transient" }));
    const published = bus.publish("topic", { n: 0 });
    expect(bus.statistics).toMatchObject({ queued: 10_001, dropped: 0 });
    server.resume();
    expect((await published).isDropped).toBe(false);
    const results = await Promise.all(flood);
    expect(results[0]).toEqual({ position: undefined, isDropped: false });
    expect(results.at(-1)).toEqual({ position: undefined, isDropped: true });
    await expect.poll(() => history.numbers, PATIENTLY).toEqual([0]);
    expect([dropping, history.missed]).toEqual([[], []]);
  });
});
