/** Clients that come back too late, or while the position that they come back for cannot be read. */
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { createTestBus } from "../support/bus.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { heardFrom, startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { createScene, OF_TEAM, send } from "../support/resume-scene.ts";
import { openRedisBus } from "./buses.ts";
import { begin, comeTo, follow, liveStates } from "./following.ts";
import { answersReady, PATIENTLY } from "./members.ts";

const [alice, bob, carol] = DEMO_USERS;

const WINDOW_MS = 200;

async function openBusOnRedis(stack: AsyncDisposableStack): Promise<Bus<BusEvent>> {
  const { url } = stack.use(await startRedis());
  return stack.use(await openRedisBus(url));
}

interface Watched {
  readonly bus: Bus<BusEvent>;
  /** The keys of positions that were taken or kept. */
  readonly keys: ReadonlySet<string>;
  readonly dropped: ReadonlySet<string>;
  /** Resolves when nobody may come back for the position of a connection that is gone. */
  readonly expired: () => Promise<void>;
}

/** Watches what becomes of positions. */
function watch(bus: Bus<BusEvent>): Watched {
  const [keys, dropped] = [new Set<string>(), new Set<string>()];
  let expiresAt = Infinity;
  const { fenced } = bus;
  const watched: typeof fenced = {
    async take(key, ...args) {
      const taken = await fenced.take(key, ...args);
      keys.add(key);
      return taken;
    },
    async put(key, owner, value, ttlMs, tombstoneMs) {
      const isSet = await fenced.put(key, owner, value, ttlMs, tombstoneMs);
      keys.add(key);
      // While a connection is open its positions are kept longer.
      if (ttlMs === WINDOW_MS) expiresAt = performance.now() + ttlMs;
      return isSet;
    },
    putFirst: (...args) => fenced.putFirst(...args),
    restore: (...args) => fenced.restore(...args),
    async drop(key, owner) {
      await fenced.drop(key, owner);
      dropped.add(key);
    },
  };
  return {
    bus: Object.assign(bus, { fenced: watched }),
    keys,
    dropped,
    expired: () => expect.poll(() => performance.now() > expiresAt, PATIENTLY).toBe(true),
  };
}

/** Alice follows the team's chat under that id, and loses her connection. */
async function followAndDrop(wsUrl: string, id: string): Promise<void> {
  await using client = await comeTo(wsUrl, alice.token);
  await follow(client, id, OF_TEAM);
  await client.drop();
}

describe.each([
  ["in memory", (stack: AsyncDisposableStack) => Promise.resolve(stack.adopt(createTestBus(), (bus) => bus.close()))],
  ["in Redis", openBusOnRedis],
])("%s", (_, open) => {
  test("a client that comes back after the window is told so, and then begins anew", async () => {
    await using stack = new AsyncDisposableStack();
    const { bus, expired } = watch(await open(stack));
    await using scene = await createScene({ RESUME_WINDOW: String(WINDOW_MS) }, bus);
    const { gateway, writer } = scene;
    await using other = await comeTo(gateway.wsUrl, alice.token);
    const control = await follow(other, randomUUID(), OF_TEAM);
    const id = randomUUID();
    await followAndDrop(gateway.wsUrl, id);
    await send(writer, ["a1"]);
    await expired();
    await using second = await comeTo(gateway.wsUrl, alice.token);
    const late = await follow(second, id, OF_TEAM);
    expect(await late.over()).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
    const anew = await follow(second, id, OF_TEAM);
    await send(writer, ["a2"]);
    await Promise.all([anew, control].map((transcript) => transcript.has("a2")));
    expect([late.all, anew.all, control.all]).toEqual([[], ["a2"], ["a1", "a2"]]);
  });

  test("a subscription that its client completes leaves no tombstone", async () => {
    await using stack = new AsyncDisposableStack();
    const { bus, keys, dropped } = watch(await open(stack));
    await using scene = await createScene({ RESUME_WINDOW: String(WINDOW_MS) }, bus);
    const { gateway, writer } = scene;
    const id = randomUUID();
    await using first = await comeTo(gateway.wsUrl, alice.token);
    await follow(first, id, OF_TEAM);
    await expect.poll(() => keys.size, PATIENTLY).toBe(1);
    first.socket.socket.send(JSON.stringify({ id, type: "complete" }));
    await expect.poll(() => dropped, PATIENTLY).toEqual(keys);
    await first.drop();
    await send(writer, ["a1"]);
    for (const key of keys) expect(await bus.fenced.take(key, "a test", undefined, 1, 1)).toEqual({ status: "none" });
    await using second = await comeTo(gateway.wsUrl, alice.token);
    const anew = await follow(second, id, OF_TEAM);
    await send(writer, ["a2"]);
    await anew.has("a2");
    expect(anew.all).toEqual(["a2"]);
  });
});

describe("while Redis holds still, a client that comes back to another instance", () => {
  test("waits, and gets what it missed, first and in order", async () => {
    await using redis = await startRedis();
    await using home = await startGateway({ REDIS_URL: redis.url });
    await using away = await startGateway({ REDIS_URL: redis.url, HTTP_API_URL: home.api.url });
    await using writer = connect(home.wsUrl, bob.token);
    await using other = await comeTo(away.wsUrl, carol.token);
    const control = await follow(other, randomUUID(), OF_TEAM);
    const id = randomUUID();
    await followAndDrop(home.wsUrl, id);
    await send(writer, ["a1", "a2"]);
    await control.has("a2");
    redis.pause();
    try {
      await using second = await comeTo(away.wsUrl, alice.token);
      const back = begin(second, id, OF_TEAM);
      await send(writer, ["a3"]);
      await answersReady(away, 503);
      // It was asked for by then, and everybody else is served.
      await Promise.all([second.handled(), other.handled()]);
      expect([back.all, back.ended, liveStates(second, id)]).toEqual([[], undefined, 0]);
      redis.resume();
      await expect.poll(() => liveStates(second, id), PATIENTLY).toBe(1);
      await send(writer, ["a4"]);
      await Promise.all([back, control].map((transcript) => transcript.has("a4")));
      for (const { all } of [back, control]) expect(all).toEqual(["a1", "a2", "a3", "a4"]);
    } finally {
      redis.resume();
    }
  });

  test("and leaves again leaves nothing behind, and has lost nothing", async () => {
    await using redis = await startRedis();
    await using home = await startGateway({ REDIS_URL: redis.url });
    const environment = { REDIS_URL: redis.url, HTTP_API_URL: home.api.url };
    await using away = await startGateway(environment, { statisticsIntervalMs: 20 });
    await using writer = connect(home.wsUrl, bob.token);
    await using other = await comeTo(away.wsUrl, carol.token);
    const control = await follow(other, randomUUID(), OF_TEAM);
    const id = randomUUID();
    await followAndDrop(home.wsUrl, id);
    await send(writer, ["a1"]);
    redis.pause();
    try {
      await using second = await comeTo(away.wsUrl, alice.token);
      begin(second, id, OF_TEAM);
      const statistics = (): unknown => away.logged.findLast(({ msg }) => msg === "statistics");
      await expect.poll(statistics, PATIENTLY).toMatchObject({ connections: 2, subscriptions: 2 });
      await answersReady(away, 503);
      await second.drop();
      await expect.poll(statistics, PATIENTLY).toMatchObject({ connections: 1, subscriptions: 1 });
    } finally {
      redis.resume();
    }
    await answersReady(away, 200);
    await using third = await comeTo(away.wsUrl, alice.token);
    const back = await follow(third, id, OF_TEAM);
    await send(writer, ["a2"]);
    await Promise.all([back, control].map((transcript) => transcript.has("a2")));
    for (const { all } of [back, control]) expect(all).toEqual(["a1", "a2"]);
    expect(away.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

describe("when Redis loses its memory, a client that comes back to another instance", () => {
  test("gets what it missed although its own instance had stopped before", async () => {
    await using redis = await startRedis();
    await using home = await startGateway({ REDIS_URL: redis.url });
    const away = await startGateway({ REDIS_URL: redis.url, HTTP_API_URL: home.api.url });
    await using writer = connect(home.wsUrl, bob.token);
    await using other = await comeTo(home.wsUrl, carol.token);
    const control = await follow(other, randomUUID(), OF_TEAM);
    const id = randomUUID();
    await followAndDrop(away.wsUrl, id);
    await away[Symbol.asyncDispose]();
    await send(writer, ["a1"]);
    await control.has("a1");
    await redis.kill();
    await redis.restart();
    await answersReady(home, 200);
    await using second = await comeTo(home.wsUrl, alice.token);
    const back = begin(second, id, OF_TEAM);
    await expect.poll(() => liveStates(second, id), PATIENTLY).toBe(1);
    await send(writer, ["a2"]);
    await Promise.all([back, control].map((transcript) => transcript.has("a2")));
    expect([back.all, control.all]).toEqual([
      ["a1", "a2"],
      ["a1", "a2"],
    ]);
  });

  test("waits for its own instance, which is held, and gets what it missed", async () => {
    await using redis = await startRedis();
    await using wayOfHome = await startRelay(redis.url);
    await using home = await startGateway({ REDIS_URL: wayOfHome.url });
    await using away = await startGateway({ REDIS_URL: redis.url, HTTP_API_URL: home.api.url });
    // The last to start has noticed all others.
    await using third = await startGateway({ REDIS_URL: redis.url, HTTP_API_URL: home.api.url });
    await using writer = connect(third.wsUrl, bob.token);
    await using other = await comeTo(third.wsUrl, carol.token);
    const control = await follow(other, randomUUID(), OF_TEAM);
    const id = randomUUID();
    await using first = await comeTo(home.wsUrl, alice.token);
    const before = await follow(first, id, OF_TEAM);
    await send(writer, ["a1"]);
    await before.has("a1");
    await first.confirmed();
    wayOfHome.freeze();
    await first.drop();
    await send(writer, ["a2"]);
    await control.has("a2");
    await redis.kill();
    await redis.restart();
    for (const gateway of [away, third]) await answersReady(gateway, 200);
    await using second = await comeTo(away.wsUrl, alice.token);
    const back = begin(second, id, OF_TEAM);
    await send(writer, ["a3"]);
    await heardFrom(redis, 10);
    expect(back.all).toEqual([]);
    wayOfHome.cut();
    wayOfHome.thaw();
    await Promise.all([back, control].map((transcript) => transcript.has("a3")));
    expect([back.all, control.all]).toEqual([
      ["a2", "a3"],
      ["a1", "a2", "a3"],
    ]);
  });
});
