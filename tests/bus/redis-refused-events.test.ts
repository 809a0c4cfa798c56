/** What is reported while Redis refuses some of what it is sent, and when it no longer does. */
import { describe, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { addUser, asUser, rights, SERVER_COMMANDS } from "../support/redis-rights.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import type { TestEvent } from "./events.ts";
import { connected, family, numbers, opener, PATIENTLY, record, type TestBus } from "./redis-scene.ts";

interface Watched {
  readonly bus: TestBus;
  /** What an operator is told, in order. */
  readonly told: readonly string[];
}

/** A connected bus with the least rights, as a user whose rights a test may change. */
async function openAsUser(server: RedisServer): Promise<Watched> {
  const watched = await openRefused(server);
  await connected(watched.bus);
  return watched;
}

/** The same, whether or not Redis refuses what it is sent. */
async function openRefused(server: RedisServer): Promise<Watched> {
  await addUser(server, rights(SERVER_COMMANDS));
  const told: string[] = [];
  const bus = await opener(asUser(server.url), {
    prefix: "chat:",
    onRefused: () => void told.push("refused"),
    onAccepted: () => void told.push("accepted"),
  })();
  return { bus, told };
}

/** Resolves when the server has sent the bus another tick: what it was asked before has been answered. */
async function ticked({ control }: RedisServer): Promise<void> {
  const clock = await control.get("chat:clock");
  await expect.poll(() => control.get("chat:clock"), PATIENTLY).not.toBe(clock);
}

/** Blocks the server with a script. Resolves, when it refuses everything, to what ends the script. */
async function block({ control }: RedisServer): Promise<() => Promise<void>> {
  await control.config("SET", "busy-reply-threshold", 20);
  const other = control.duplicate();
  const running = other.eval("while true do end", 0).catch((error: unknown) => String(error));
  await expect.poll(() => control.ping().catch(String), PATIENTLY).toContain("BUSY");
  return async () => {
    await control.script("KILL");
    await running;
    other.disconnect();
  };
}

function publishTransient(bus: Bus<TestEvent>, n: number): ReturnType<Bus<TestEvent>["publish"]> {
  return bus.publish("topic", { n, kind: "transient" });
}

describe("a refusal", () => {
  test("is told at the start", async () => {
    await using server = await startRedis();
    await server.control.config("SET", "min-replicas-to-write", 1);
    const { bus, told } = await openRefused(server);
    await using _ = bus;
    await expect.poll(() => told, PATIENTLY).toEqual(["refused"]);
    expect(bus.isConnected).toBe(false);
  });

  test("is told once while a topic's other events are accepted", async () => {
    await using server = await startRedis();
    const { bus, told } = await openAsUser(server);
    await using _ = bus;
    const history = await record(bus);
    await server.control.call("ACL", "SETUSER", "gateway", "-xadd");
    const waiting = bus.publish("topic", { n: 0 });
    await connected(bus, false);
    for (const n of numbers(3, 100)) {
      expect(await bus.publish("another topic", { n, kind: "transient" })).toMatchObject({ isDropped: false });
    }
    await ticked(server);
    expect([bus.isConnected, told]).toEqual([false, ["refused"]]);
    await server.control.call("ACL", "SETUSER", "gateway", "+xadd");
    await waiting;
    await connected(bus);
    await expect.poll(() => history.numbers, PATIENTLY).toEqual([0]);
    expect(told).toEqual(["refused", "accepted"]);
  });

  test("of a transient event is over when Redis accepts again", async () => {
    await using server = await startRedis();
    const { bus } = await openAsUser(server);
    await using _ = bus;
    await record(bus);
    const unblock = await block(server);
    expect(await publishTransient(bus, 0)).toMatchObject({ isDropped: true });
    await connected(bus, false);
    await unblock();
    await connected(bus);
    expect(bus.statistics).toMatchObject({ queued: 0, outages: 0 });
  });

  test("of a subscription is over when nobody wants the subscription any more", async () => {
    await using server = await startRedis();
    const { bus, told } = await openAsUser(server);
    await using _ = bus;
    // The ticks have a channel too.
    await server.control.call("ACL", "SETUSER", "gateway", "resetchannels", "&chat:tick:*");
    await connected(bus);
    const unsubscribe = await bus.subscribe("topic", { receive: () => undefined });
    await connected(bus, false);
    expect(told).toEqual(["refused"]);
    await unsubscribe();
    await connected(bus);
    expect(told).toEqual(["refused", "accepted"]);
  });

  test("by one node of a cluster is told once, and the others go on", async () => {
    await using cluster = await startRedisCluster();
    // A node refuses everything for a moment after it has joined.
    for (const { control } of cluster.nodes) {
      await expect.poll(() => control.call("CLUSTER", "INFO"), PATIENTLY).toContain("cluster_state:ok");
    }
    const told: string[] = [];
    await using bus = await family(cluster.url, {
      onRefused: () => void told.push("refused"),
      onAccepted: () => void told.push("accepted"),
      onOutage: (error) => void told.push(String(error)),
    })();
    const [blocked, other] = await Promise.all([cluster.nameOn(0), cluster.nameOn(1)]);
    const histories = await Promise.all([record(bus, blocked), record(bus, other)]);
    const unblock = await block(cluster.nodes[0]);
    const named = (): number => told.filter((line) => line.includes("BUSY")).length;
    await expect.poll(named, PATIENTLY).toBe(1);
    const waiting = bus.publish(blocked, { n: 0 });
    await bus.publish(other, { n: 1 });
    await expect.poll(() => histories[1].numbers, PATIENTLY).toEqual([1]);
    await bus.publish(other, { n: 2 });
    await unblock();
    await waiting;
    await expect.poll(() => histories[0].numbers, PATIENTLY).toEqual([0]);
    expect(named()).toBe(1);
  });
});

test("a listener that comes while Redis refuses misses nothing that is published from then on", async () => {
  await using server = await startRedis();
  const { bus } = await openAsUser(server);
  await using _ = bus;
  await using publisher = await family(server.url, { prefix: "chat:" })();
  for (const topic of ["topic 1", "topic 2", "topic 3"]) {
    const unblock = await block(server);
    const history = await record(bus, topic);
    const waiting = publisher.publish(topic, { n: 0 });
    await unblock();
    await waiting;
    await publisher.publish(topic, { n: 1 });
    await expect.poll(() => history.numbers.at(-1), PATIENTLY).toBe(1);
    expect(history.numbers).toEqual([0, 1]);
  }
});
