import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONFIG_TABLE } from "../../src/config/config.ts";
import { startGateway } from "../support/gateway.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";

/** The least and the greatest whole number that each variable may be, ports aside: whether one is free is not the gateway's affair. */
const BOUNDS = CONFIG_TABLE.flatMap(({ name, expected }) => {
  const [, min, max] = /^a whole number from (\d+) to (\d+)$/.exec(expected) ?? [];
  if (min === undefined || max === undefined || name.endsWith("PORT")) return [];
  return [[name, min] as const, [name, max] as const];
});

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

test.each(BOUNDS)("%s=%s is taken", async (name, value) => {
  await using gateway = await startGateway({
    REDIS_URL: redis.url,
    REDIS_PREFIX: `${randomUUID()}:`,
    [name]: value,
  });
  expect(gateway.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});
