/** Who is online, when instances and Redis come and go. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PresentUser } from "../../src/bus/bus.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { connected, family, PATIENTLY, type TestBus } from "./redis-scene.ts";

const INSTANCE = fileURLToPath(import.meta.resolve("./redis-instance.ts"));

const anna = { id: "anna", name: "ANNA" };
const ben = { id: "ben", name: "BEN" };
const zoe = { id: "zoe", name: "ZOE" };

const ONLINE = { online: true, lastSeenAt: undefined };
const OFFLINE = { online: false, lastSeenAt: expect.any(String) };

/** Of transitions that nobody asked for, those that a bus has told. */
function told(bus: TestBus): readonly PresentUser[] {
  const users: PresentUser[] = [];
  bus.presence.onTransition((user) => void users.push(user));
  return users;
}

/** Starts another process that holds leases of these users; disposing it kills it. */
async function startInstance(
  url: string,
  prefix: string,
  ttlMs: number,
  users: readonly string[],
): Promise<{ readonly kill: () => void; readonly pause: () => void; readonly resume: () => void } & Disposable> {
  const child = spawn(process.execPath, [INSTANCE, url, prefix, String(ttlMs), ...users], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const kill = (): void => void child.kill("SIGKILL");
  return {
    kill,
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    [Symbol.dispose]: kill,
  };
}

describe("an instance that dies", () => {
  /** After three fifths of it without a heartbeat an instance is dead: so long may this machine hold up a living one. */
  const ttlMs = 5000;
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("leaves no ghosts: its users go offline once, unless they are elsewhere too", async () => {
    const prefix = `${randomUUID()}:`;
    const open = family(server.url, { prefix, presenceTtlMs: ttlMs });
    await using one = await open();
    await using other = await open();
    const announced = [told(one), told(other)];
    using doomed = await startInstance(server.url, prefix, ttlMs, ["anna", "ben"]);
    expect(await other.presence.enter(ben, "a lease elsewhere")).toBe(false);
    expect(await one.presence.read(["anna", "ben"])).toEqual([ONLINE, ONLINE]);
    const states: unknown[] = [];
    doomed.kill();
    await expect
      .poll(async () => {
        const [first, second] = await one.presence.read(["anna", "ben"]);
        states.push(second);
        return first;
      }, PATIENTLY)
      .toEqual(OFFLINE);
    // Ben, who is online still, because the dead one may not have come to it.
    const names = (): readonly string[] => announced.flat().map(({ id }) => id);
    await expect.poll(() => names().toSorted(), PATIENTLY).toEqual(["anna", "ben"]);
    expect(new Set(states.map((state) => JSON.stringify(state)))).toEqual(new Set([JSON.stringify(ONLINE)]));
    // Whoever is buried leaves nothing behind.
    await expect.poll(() => server.control.keys(`${prefix}users:*`), PATIENTLY).toHaveLength(1);
    await expect.poll(() => server.control.zcard(`${prefix}{instances}:sweeps`), PATIENTLY).toBe(0);
    expect(names().toSorted()).toEqual(["anna", "ben"]);
  });

  test("just after it has put a user online has that announced by another", async () => {
    const prefix = `${randomUUID()}:`;
    await using bus = await family(server.url, { prefix, presenceTtlMs: ttlMs })();
    const announced = told(bus);
    // It holds leases, and announces nothing.
    using doomed = await startInstance(server.url, prefix, ttlMs, ["anna"]);
    expect(await bus.presence.enter(anna, "a lease elsewhere")).toBe(false);
    doomed.kill();
    await expect.poll(() => announced, PATIENTLY).toEqual([anna]);
    expect(await bus.presence.read(["anna"])).toEqual([ONLINE]);
  });

  test("and was only slow writes its users again when it is back", async () => {
    const prefix = `${randomUUID()}:`;
    await using bus = await family(server.url, { prefix, presenceTtlMs: ttlMs })();
    const announced = told(bus);
    using frozen = await startInstance(server.url, prefix, ttlMs, ["anna"]);
    frozen.pause();
    await expect.poll(() => announced, PATIENTLY).toEqual([anna]);
    expect(await bus.presence.read(["anna"])).toEqual([OFFLINE]);
    frozen.resume();
    await expect.poll(() => bus.presence.read(["anna"]), PATIENTLY).toEqual([ONLINE]);
    expect(announced).toEqual([anna]);
  });

  test("or was only thought to be dead, leaves no lease that was written after its burial", async () => {
    const open = family(server.url, { presenceTtlMs: ttlMs });
    await using relay = await startRelay(server.url);
    await using other = await open();
    await using frozen = await open({ url: relay.url });
    await frozen.presence.enter(zoe, "lease");
    const transitions = told(other);
    relay.freeze();
    const entered = frozen.presence.enter(anna, "lease");
    await expect.poll(() => transitions, PATIENTLY).toEqual([zoe]);
    relay.thaw();
    await entered;
    await expect.poll(() => other.presence.read([zoe.id, anna.id]), PATIENTLY).toEqual([ONLINE, ONLINE]);
    if (await frozen.presence.leave(anna.id, "lease")) await frozen.presence.settle(anna.id);
    await expect.poll(() => other.presence.read([zoe.id, anna.id]), PATIENTLY).toEqual([ONLINE, OFFLINE]);
  });

  test("in the grace of a user, has the grace ended by another", async () => {
    const open = family(server.url, { presenceTtlMs: ttlMs });
    await using bus = await open();
    const announced = told(bus);
    const leaving = await open();
    expect(await leaving.presence.enter(anna, "lease")).toBe(true);
    expect(await leaving.presence.leave("anna", "lease")).toBe(true);
    // As a gateway that stops does: it settles nobody.
    await leaving.close();
    expect(await bus.presence.read(["anna"])).toEqual([ONLINE]);
    await expect.poll(() => bus.presence.read(["anna"]), PATIENTLY).toEqual([OFFLINE]);
    await expect.poll(() => announced, PATIENTLY).toEqual([anna]);
  });

  test("or stops puts nobody offline who is back in time", async () => {
    const prefix = `${randomUUID()}:`;
    const open = family(server.url, { prefix, presenceTtlMs: ttlMs });
    await using bus = await open();
    const announced = told(bus);
    const leaving = await open();
    await leaving.presence.enter(anna, "lease");
    await leaving.presence.enter(ben, "lease");
    await leaving.close();
    expect(await bus.presence.enter(anna, "another lease")).toBe(false);
    // Anna's presence is told again as it is, since it had just begun.
    await expect.poll(() => announced.map(({ id }) => id).toSorted(), PATIENTLY).toEqual(["anna", "ben"]);
    await expect.poll(() => server.control.zcard(`${prefix}{instances}`), PATIENTLY).toBe(1);
    expect(await bus.presence.read(["anna", "ben"])).toEqual([ONLINE, OFFLINE]);
    expect(announced).toHaveLength(2);
  });
});

describe("while Redis is away", () => {
  test("users who came or went are announced once when it is back, others are not", async () => {
    await using server = await startRedis();
    await using relay = await startRelay(server.url);
    const open = family(server.url);
    await using bus = await open({ url: relay.url });
    await using other = await open();
    const announced = [told(bus), told(other)];
    expect(await bus.presence.enter(anna, "1")).toBe(true);
    expect(await bus.presence.enter(ben, "1")).toBe(true);
    for (const { id } of [anna, ben]) await bus.presence.announced(id, true);
    relay.freeze();
    relay.cut();
    await connected(bus, false);
    // Anna stays and blinks, Ben goes, Zoe comes, and somebody comes and goes.
    expect(await bus.presence.enter(anna, "2")).toBe(false);
    expect(await bus.presence.leave("anna", "1")).toBe(false);
    expect(await bus.presence.leave("ben", "1")).toBe(true);
    expect(await bus.presence.enter(zoe, "1")).toBe(false);
    expect(await bus.presence.enter({ id: "moth", name: "MOTH" }, "1")).toBe(false);
    expect(await bus.presence.leave("moth", "1")).toBe(true);
    for (const id of ["moth", "ben"]) expect(await bus.presence.settle(id)).toBe(false);
    relay.thaw();
    await expect
      .poll(() => announced.flat().toSorted((a, b) => a.id.localeCompare(b.id)), PATIENTLY)
      .toEqual([ben, zoe]);
    expect(await other.presence.read(["anna", "ben", "zoe", "moth"])).toEqual([
      ONLINE,
      OFFLINE,
      ONLINE,
      { online: false, lastSeenAt: undefined },
    ]);
    expect(await bus.presence.leave("anna", "2")).toBe(true);
    expect(await bus.presence.settle("anna")).toBe(true);
    expect(announced.flat()).toHaveLength(2);
  });

  test("and comes back empty, only users who came or went are announced, once", async () => {
    await using server = await startRedis();
    const open = family(server.url);
    await using one = await open();
    await using other = await open();
    const announced = [told(one), told(other)];
    const both = { id: "both", name: "BOTH" };
    await one.presence.enter(anna, "1");
    await one.presence.enter(ben, "1");
    await one.presence.enter(both, "1");
    await other.presence.enter(both, "2");
    await server.kill();
    await Promise.all([connected(one, false), connected(other, false)]);
    await one.presence.leave("ben", "1");
    await one.presence.leave("both", "1");
    for (const id of ["ben", "both"]) expect(await one.presence.settle(id)).toBe(false);
    await one.presence.enter(zoe, "1");
    await server.restart();
    await expect
      .poll(() => announced.flat().toSorted((a, b) => a.id.localeCompare(b.id)), PATIENTLY)
      .toEqual([ben, zoe]);
    expect(await other.presence.read(["anna", "ben", "zoe", "both"])).toEqual([ONLINE, OFFLINE, ONLINE, ONLINE]);
    expect(await other.presence.leave("both", "2")).toBe(true);
    expect(await other.presence.settle("both")).toBe(true);
    expect(announced.flat()).toHaveLength(2);
  });

  test("and comes back empty, users of an instance that is late stay online", async () => {
    await using server = await startRedis();
    await using relay = await startRelay(server.url);
    const open = family(server.url);
    await using one = await open();
    await using late = await open({ url: relay.url });
    const announced = [told(one), told(late)];
    const both = { id: "both", name: "BOTH" };
    await late.presence.enter(anna, "1");
    await late.presence.enter(both, "1");
    await one.presence.enter(both, "2");
    await server.kill();
    await Promise.all([connected(one, false), connected(late, false)]);
    relay.freeze();
    await server.restart();
    await connected(one);
    expect(await one.presence.leave("both", "2")).toBe(true);
    expect(await one.presence.settle("both")).toBe(false);
    relay.cut();
    relay.thaw();
    await connected(late);
    await expect.poll(() => one.presence.read(["anna", "both"]), PATIENTLY).toEqual([ONLINE, ONLINE]);
    await late.presence.leave("anna", "1");
    await late.presence.settle("anna");
    await expect.poll(() => announced.flat(), PATIENTLY).toEqual([anna]);
    expect(await one.presence.read(["anna", "both"])).toEqual([OFFLINE, ONLINE]);
    expect(announced.flat()).toEqual([anna]);
  });

  test("and has lost its memory unnoticed, users who leave or have left go offline all the same", async () => {
    await using server = await startRedis();
    const open = family(server.url, { presenceTtlMs: 5000 });
    await using bus = await open();
    await using other = await open();
    const announced = told(bus);
    for (const user of [anna, ben, zoe]) await bus.presence.enter(user, "1");
    expect(await bus.presence.leave(ben.id, "1")).toBe(true);
    await server.control.flushall();
    expect(await bus.presence.leave(anna.id, "1")).toBe(true);
    for (const { id } of [anna, ben]) expect(await bus.presence.settle(id)).toBe(false);
    await expect.poll(() => announced.toSorted((a, b) => a.id.localeCompare(b.id)), PATIENTLY).toEqual([anna, ben]);
    expect(await other.presence.read([anna.id, ben.id])).toEqual([OFFLINE, OFFLINE]);
  });

  test("and comes back empty, a grace that an instance has written again is ended by another where it dies", async () => {
    await using server = await startRedis();
    await using relay = await startRelay(server.url);
    const open = family(server.url, { presenceTtlMs: 5000 });
    await using doomed = await open({ url: relay.url, presenceGraceMs: 600_000 });
    await using other = await open();
    const announced = told(other);
    await doomed.presence.enter(anna, "1");
    await doomed.presence.announced(anna.id, true);
    expect(await doomed.presence.leave(anna.id, "1")).toBe(true);
    await server.kill();
    await Promise.all([connected(doomed, false), connected(other, false)]);
    await server.restart();
    await Promise.all([connected(doomed), connected(other)]);
    await expect.poll(() => other.presence.read([anna.id]), PATIENTLY).toEqual([ONLINE]);
    relay.freeze();
    await expect.poll(() => announced, PATIENTLY).toEqual([anna]);
    expect(await other.presence.read([anna.id])).toEqual([OFFLINE]);
  });

  test("and comes back empty, a user who has left an instance that stops before all are back goes offline", async () => {
    await using server = await startRedis();
    await using relay = await startRelay(server.url);
    const open = family(server.url, { presenceTtlMs: 5000 });
    const leaving = await open();
    await using other = await open();
    await using late = await open({ url: relay.url });
    const announced = [told(other), told(late)];
    const both = { id: "both", name: "BOTH" };
    await late.presence.enter(both, "1");
    for (const user of [anna, both]) await leaving.presence.enter(user, "2");
    for (const { id } of [anna, both]) await leaving.presence.announced(id, true);
    await server.kill();
    await Promise.all([leaving, other, late].map((bus) => connected(bus, false)));
    for (const { id } of [anna, both]) {
      await leaving.presence.leave(id, "2");
      await leaving.presence.settle(id);
    }
    relay.freeze();
    await server.restart();
    await Promise.all([leaving, other].map((bus) => connected(bus)));
    await leaving.close();
    relay.cut();
    relay.thaw();
    await connected(late);
    await expect.poll(() => other.presence.read([anna.id, both.id]), PATIENTLY).toEqual([OFFLINE, ONLINE]);
    await expect.poll(() => announced.flat().map(({ id }) => id), PATIENTLY).toContain(anna.id);
  });

  test("for long, no instance counts as dead for that", async () => {
    await using server = await startRedis();
    const prefix = `${randomUUID()}:`;
    const open = family(server.url, { prefix, presenceTtlMs: 5000 });
    await using one = await open();
    await using other = await open();
    const announced = [told(one), told(other)];
    await one.presence.enter(anna, "1");
    await other.presence.enter(ben, "1");
    using doomed = await startInstance(server.url, prefix, 5000, ["zoe"]);
    const instances = `${prefix}{instances}`;
    const names = await server.control.zrange(instances, 0, -1);
    expect(names).toHaveLength(3);
    doomed.kill();
    // As it looks after a long outage: nobody has been heard of, and all connections are gone.
    const outage = server.control.multi();
    for (const name of names) outage.zadd(instances, 0, name);
    await outage.client("KILL", "TYPE", "normal", "SKIPME", "yes").client("KILL", "TYPE", "pubsub").exec();
    // Who does not come back is dead after all.
    await expect.poll(() => announced.flat(), PATIENTLY).toEqual([zoe]);
    expect(await one.presence.read(["anna", "ben", "zoe"])).toEqual([ONLINE, ONLINE, OFFLINE]);
    expect(announced.flat()).toEqual([zoe]);
  });
});
