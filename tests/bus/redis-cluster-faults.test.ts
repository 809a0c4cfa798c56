/** What becomes of events when a part of a cluster fails, or changes. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { slotOf } from "../../src/bus/redis/connection/slot.ts";
import { keySlot, moveSlot, startRedisCluster, type RedisCluster } from "../support/redis-cluster.ts";
import { turn, type RedisServer } from "../support/redis.ts";
import { connected, family, numbers, PATIENTLY, publishSteadily, record } from "./redis-scene.ts";

/** How often a server has been given a command. */
async function calls({ control }: RedisServer, command: string): Promise<number> {
  const line = new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await control.info("commandstats"));
  return Number(line?.[1] ?? 0);
}

/** The connections that listen to a server. */
async function listeners({ control }: RedisServer): Promise<readonly string[]> {
  const list = String(await control.call("CLIENT", "LIST", "TYPE", "pubsub"));
  return Array.from(list.matchAll(/^id=(\d+)/gm), ([, id = ""]) => id).toSorted();
}

/** The log vouches for nothing from before its node's first seconds, and a topic is read again from some seconds before. */
async function settled(nodes: readonly RedisServer[]): Promise<void> {
  for (const { control } of nodes) {
    while (Number(/uptime_in_seconds:(\d+)/.exec(await control.info("server"))?.[1]) <= 8) await turn();
  }
}

/** Resolves when every instance has had several ticks through the server. */
async function ticked(server: RedisServer, command = "spublish"): Promise<void> {
  const before = await calls(server, command);
  await expect.poll(() => calls(server, command), PATIENTLY).toBeGreaterThan(before + 8);
}

const NO_SHARDS = ["SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"].flatMap((name) => ["--rename-command", name, ""]);

describe("a cluster that stays", () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
    await settled(cluster.nodes);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test("has each name in the slot that the gateway looks for it in", async () => {
    const names = [
      "",
      "foo",
      "chat:log:{chat:1}",
      "{}x",
      "a{}{b}",
      "{a}{b}",
      "{{a}}",
      "}{",
      "{a",
      "é:{ü}",
      "chat:tick:1:{12}",
    ];
    for (const name of names) expect(slotOf(name)).toBe(await keySlot(cluster.nodes[0], name));
  });

  test("publishes each event through its own node, to that node's listeners alone", async () => {
    const prefix = `${randomUUID()}:`;
    const open = family(cluster.url, { prefix });
    await using one = await open();
    await using other = await open();
    const names = await Promise.all(numbers(3).map((index) => cluster.nameOn(index)));
    const histories = await Promise.all(names.map((name) => record(other, name)));
    for (const name of names) {
      await one.publish(name, { n: 0 });
      await one.publish(name, { n: 1, kind: "transient" });
    }
    for (const { numbers: given } of histories) await expect.poll(() => given, PATIENTLY).toEqual([0, 1]);
    for (const [index, node] of cluster.nodes.entries()) {
      expect(await node.control.call("PUBSUB", "SHARDCHANNELS", `${prefix}events:*`)).toEqual([
        `${prefix}events:{${names[index]}}`,
      ]);
      expect(await node.control.call("PUBSUB", "CHANNELS", "*")).toEqual([]);
      expect(await calls(node, "publish")).toBe(0);
      expect(await calls(node, "spublish")).toBeGreaterThan(0);
      expect(await listeners(node)).toHaveLength(2);
    }
  });

  test("loses nothing where one node cuts its listeners off, and disturbs no other node", async () => {
    const open = family(cluster.url);
    await using publisher = await open();
    await using other = await open();
    const [cut, spared] = [await cluster.nameOn(0), await cluster.nameOn(1)];
    const [there, elsewhere] = [await record(other, cut), await record(other, spared)];
    const listening = await listeners(cluster.nodes[1]);
    const loads = [
      publishSteadily(publisher, { topic: cut, readers: [there] }),
      publishSteadily(publisher, { topic: spared, readers: [elsewhere] }),
    ];
    for (let n = 0; n < 5; n++) {
      const seen = there.numbers.length;
      await cluster.nodes[0].control.client("KILL", "TYPE", "pubsub");
      await expect.poll(() => there.numbers.length, PATIENTLY).toBeGreaterThan(seen + 50);
    }
    const counts = await Promise.all(loads.map((load) => load.stop()));
    for (const [index, history] of [there, elsewhere].entries()) {
      await expect.poll(() => history.numbers.length, PATIENTLY).toBe(counts[index]);
      expect(history.numbers).toEqual(numbers(counts[index] ?? 0));
      expect(history.positions).toEqual(history.positions.map(String).toSorted());
      expect(history.missed).toEqual([]);
    }
    expect(await listeners(cluster.nodes[1])).toEqual(listening);
    await connected(other);
    expect(other.statistics.outages).toBeGreaterThanOrEqual(5);
  });

  test.each(["durable", "transient"] as const)(
    "keeps the order of %s events, and loses no durable one, while a slot moves to and fro",
    async (kind) => {
      const open = family(cluster.url);
      await using publisher = await open();
      await using other = await open();
      const topic = await cluster.nameOn(0);
      const histories = [await record(publisher, topic), await record(other, topic)];
      const [home, away, witness] = cluster.nodes;
      const slot = await keySlot(home, topic);
      let told = 0;
      other.observe({ restored: () => void told++ });
      const readers = kind === "durable" ? histories : [];
      const load = publishSteadily(publisher, { topic, kind, readers });
      for (let n = 0; n < 6; n++) {
        const seen = histories[1]?.numbers.length ?? 0;
        await expect.poll(() => histories[1]?.numbers.length, PATIENTLY).toBeGreaterThan(seen + 30);
        await (n % 2 === 0 ? moveSlot(slot, home, away, [witness]) : moveSlot(slot, away, home, [witness]));
      }
      const count = await load.stop();
      for (const { numbers: given } of histories) {
        await expect.poll(() => given.length, PATIENTLY).toBeGreaterThanOrEqual(kind === "durable" ? count : 100);
        // A transient event may be published again where its answer was lost.
        const inOrder = [...new Set(given)].toSorted((a, b) => a - b);
        expect(kind === "durable" ? given : [...new Set(given)]).toEqual(kind === "durable" ? numbers(count) : inOrder);
      }
      // Transient events may have been missed when the slot moved: states are read again.
      await expect.poll(() => told, PATIENTLY).toBeGreaterThan(0);
    },
  );
});

describe("a cluster that loses a node", () => {
  test("delivers what lies on the others; what lies there waits until it is back", async () => {
    await using cluster = await startRedisCluster();
    await settled(cluster.nodes);
    const open = family(cluster.url);
    await using publisher = await open();
    await using other = await open();
    const [lost, spared] = [await cluster.nameOn(0), await cluster.nameOn(1)];
    const here = await record(publisher, lost);
    const [there, elsewhere] = [await record(other, lost), await record(other, spared)];
    const listening = await listeners(cluster.nodes[1]);
    for (const n of numbers(10)) await publisher.publish(lost, { n });
    await expect.poll(() => there.numbers, PATIENTLY).toEqual(numbers(10));
    await cluster.nodes[0].kill();
    const waiting = numbers(50, 10).map((n) => publisher.publish(lost, { n }));
    // The node is not started before all of these have come.
    for (const n of numbers(100)) {
      await publisher.publish(spared, { n });
    }
    await expect.poll(() => elsewhere.numbers, PATIENTLY).toEqual(numbers(100));
    waiting.push(publisher.publish(lost, { n: 60 }));
    expect(here.numbers).toEqual(numbers(10));
    expect(publisher.statistics.queued).toBe(51);
    // No other connection is replaced, however long that takes.
    await ticked(cluster.nodes[1]);
    expect(await listeners(cluster.nodes[1])).toEqual(listening);
    for (const bus of [publisher, other]) await connected(bus);
    expect(there.numbers).toEqual(numbers(10));
    // The position there is told apart, however far the others are.
    const { topics } = other.log.position([lost, spared]);
    expect(topics).toHaveProperty([lost]);
    // Whoever starts now is connected, and knows what it can.
    await using late = await open();
    const [later, laterElsewhere] = [await record(late, lost), await record(late, spared)];
    await publisher.publish(spared, { n: 100 });
    await expect.poll(() => laterElsewhere.numbers, PATIENTLY).toEqual([100]);
    await cluster.nodes[0].restart();
    await Promise.all(waiting);
    await expect.poll(() => there.numbers.length, PATIENTLY).toBe(61);
    await publisher.publish(lost, { n: 61 });
    await expect.poll(() => later.numbers.at(-1), PATIENTLY).toBe(61);
    await expect.poll(() => there.numbers, PATIENTLY).toEqual(numbers(62));
    await expect.poll(() => here.numbers, PATIENTLY).toEqual(numbers(62));
    expect(elsewhere).toMatchObject({ numbers: numbers(101), missed: [] });
    expect(publisher.statistics.queued).toBe(0);
  });

  test("that is only silent holds nobody up", async () => {
    await using cluster = await startRedisCluster();
    const open = family(cluster.url);
    await using publisher = await open();
    await using other = await open();
    const [lost, spared] = [await cluster.nameOn(0), await cluster.nameOn(1)];
    const [there, elsewhere] = [await record(other, lost), await record(other, spared)];
    cluster.nodes[0].pause();
    const waiting: Promise<unknown>[] = [];
    try {
      waiting.push(...numbers(300).map((n) => publisher.publish(lost, { n })));
      // Before the node is let go on.
      for (const n of numbers(100)) {
        await publisher.publish(spared, { n });
      }
      await expect.poll(() => elsewhere.numbers, PATIENTLY).toEqual(numbers(100));
      expect(there.numbers).toEqual([]);
    } finally {
      cluster.nodes[0].resume();
    }
    await Promise.all(waiting);
    await expect.poll(() => there.numbers, PATIENTLY).toEqual(numbers(300));
    expect(elsewhere.missed).toEqual([]);
  });

  test("that is silent holds up no bus that is opened meanwhile", async () => {
    await using cluster = await startRedisCluster();
    const open = family(cluster.url);
    const spared = await cluster.nameOn(1);
    await using early = await open();
    // Only then does the cluster take it.
    await early.publish(spared, { n: -1 });
    cluster.nodes[0].pause();
    try {
      await using late = await open({ startPatienceMs: 1 });
      await connected(late);
      for (const n of numbers(10)) await late.publish(spared, { n });
      const { entries } = await early.log.tail(spared);
      expect(entries.map(({ event }) => event.n)).toEqual(numbers(11, -1));
    } finally {
      cluster.nodes[0].resume();
    }
  });

  test("continues with its replica: nothing lost, doubled or reordered", async () => {
    await using cluster = await startRedisCluster({ replica: true });
    await settled(cluster.nodes);
    const open = family(cluster.url);
    await using publisher = await open();
    await using other = await open();
    const topic = await cluster.nameOn(0);
    const histories = [await record(publisher, topic), await record(other, topic)];
    const load = publishSteadily(publisher, { topic, paceMs: 40, readers: histories });
    await expect.poll(() => histories[1]?.numbers.length, PATIENTLY).toBeGreaterThan(100);
    await cluster.nodes[0].kill();
    await expect.poll(() => publisher.statistics.queued, PATIENTLY).toBeGreaterThan(100);
    // When the replica has been chosen.
    const count = await load.stop();
    for (const { numbers: given } of histories) {
      await expect.poll(() => given.length, PATIENTLY).toBe(count);
      expect(given).toEqual(numbers(count));
    }
    expect(await cluster.replica?.control.call("PUBSUB", "SHARDCHANNELS", "*events*")).toHaveLength(1);
  });
});

describe("a cluster without sharded pub/sub", () => {
  test.each([
    ["on any node", [true, true, true]],
    ["on one of its nodes", [true, false, false]],
  ])("%s is listened to in the ordinary way there", async (_, isWithout) => {
    await using cluster = await startRedisCluster({ argumentsOf: (index) => (isWithout[index] ? NO_SHARDS : []) });
    await settled(cluster.nodes);
    const open = family(cluster.url);
    await using publisher = await open();
    await using other = await open();
    const names = await Promise.all(numbers(3).map((index) => cluster.nameOn(index)));
    const histories = await Promise.all(names.map((name) => record(other, name)));
    const loads = names.map((topic, index) =>
      publishSteadily(publisher, { topic, readers: histories.slice(index, index + 1) }),
    );
    for (const [index, node] of cluster.nodes.entries()) {
      const seen = histories[index]?.numbers.length ?? 0;
      await node.control.client("KILL", "TYPE", "pubsub");
      await expect.poll(() => histories[index]?.numbers.length, PATIENTLY).toBeGreaterThan(seen + 50);
    }
    const counts = await Promise.all(loads.map((load) => load.stop()));
    for (const [index, { numbers: given, missed }] of histories.entries()) {
      await expect.poll(() => given.length, PATIENTLY).toBe(counts[index]);
      expect(given).toEqual(numbers(counts[index] ?? 0));
      expect(missed).toEqual([]);
    }
    await publisher.publish(names[0] ?? "", { n: -1, kind: "transient" });
    await expect.poll(() => histories[0]?.numbers.at(-1), PATIENTLY).toBe(-1);
    for (const [index, node] of cluster.nodes.entries()) {
      expect((await calls(node, "publish")) > 0).toBe(isWithout[index]);
    }
  });
});
