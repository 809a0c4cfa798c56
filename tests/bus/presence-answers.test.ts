/** Answers of Redis about who is online that are lost. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { BusUnavailable, type PresentUser } from "../../src/bus/bus.ts";
import { redisKeys } from "../../src/bus/redis/keys.ts";
import { RedisPresence, type PresenceParts } from "../../src/bus/redis/presence/presence.ts";
import { ENTER, LEAVE, RETURN, SETTLE } from "../../src/bus/redis/presence/scripts.ts";
import { runScript, type Script } from "../../src/bus/redis/script.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";

const anna = { id: "anna", name: "ANNA" };
const keys = redisKeys("", { database: 0, isCluster: false });

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

/** The presence of one instance, and what it has told. The answers to `lost` do not arrive; what was asked for is done. */
function presenceOf(instance: string) {
  const lost = new Set<Script>();
  const connection = {
    run: (_key: string, send: (client: RedisServer["control"]) => unknown) => send(redis.control),
    async script(script: Script, names: readonly string[], args: readonly (string | number)[]) {
      const answer = await runScript(redis.control, script, names, args);
      if (lost.delete(script)) throw new BusUnavailable();
      return answer;
    },
  } as unknown as PresenceParts["connection"];
  const onListenerError = (error: unknown): never => {
    throw error;
  };
  const restoration = { isRestored: true, restored: () => Promise.resolve() };
  const presence = new RedisPresence({ connection, keys, restoration, graceMs: 1, onListenerError }, instance);
  const told: PresentUser[] = [];
  presence.onTransition((user) => void told.push(user));
  return { presence, lost, told };
}

test("a user who is online again is announced although the first answer was lost", async () => {
  await redis.control.flushall();
  const [one, other] = [presenceOf("one"), presenceOf("other")];
  expect(await one.presence.enter(anna, "lease")).toBe(true);
  await one.presence.announced("anna", true);
  // The others took this instance for dead, and put its users offline.
  await other.presence.release("one", ["anna"], Date.now());
  expect(other.told).toEqual([anna]);
  one.presence.rename("one.1");
  one.lost.add(RETURN);
  await one.presence.reconcile();
  expect(one.told).toEqual([]);
  await one.presence.reconcile();
  expect(one.told).toEqual([anna]);
});

test("a user who came back while answers were lost is announced, under whichever name of the instance", async () => {
  await redis.control.flushall();
  const { presence, lost, told } = presenceOf("one");
  expect(await presence.enter(anna, "lease 1")).toBe(true);
  await presence.announced("anna", true);
  expect(await presence.leave("anna", "lease 1")).toBe(true);
  lost.add(SETTLE).add(ENTER);
  expect(await presence.settle("anna")).toBe(false);
  expect(await presence.enter(anna, "lease 2")).toBe(false);
  presence.rename("one.1");
  await presence.reconcile();
  expect(told).toEqual([anna]);
  await presence.announced("anna", true);
  await presence.reconcile();
  expect(told).toEqual([anna]);
});

test("a user who came while answers were lost, and is with another instance by now, is announced", async () => {
  await redis.control.flushall();
  const [one, other] = [presenceOf("one"), presenceOf("other")];
  one.lost.add(ENTER).add(LEAVE);
  expect(await one.presence.enter(anna, "lease")).toBe(false);
  expect(await one.presence.leave("anna", "lease")).toBe(true);
  expect(await other.presence.enter(anna, "lease")).toBe(false);
  await one.presence.reconcile();
  expect(one.told).toEqual([anna]);
  await one.presence.announced("anna", true);
  await one.presence.reconcile();
  expect(one.told).toEqual([anna]);
});

test("what an instance has not announced is announced by the one that releases it, however long ago it was", async () => {
  await redis.control.flushall();
  const [one, other] = [presenceOf("one"), presenceOf("other")];
  expect(await one.presence.enter(anna, "lease")).toBe(true);
  expect(await one.presence.leave("anna", "lease")).toBe(true);
  expect(await one.presence.settle("anna")).toBe(true);
  expect(await redis.control.smembers(keys.usersOf("one"))).toEqual(["anna"]);
  await other.presence.release("one", ["anna"], Date.now() + 60_000);
  expect(other.told).toEqual([anna]);
});
