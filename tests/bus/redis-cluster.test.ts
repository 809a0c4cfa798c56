/** What every bus promises, over a cluster. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { createRedisBus } from "../../src/bus/redis.ts";
import { startRedisCluster, type RedisCluster } from "../support/redis-cluster.ts";
import { busContract } from "./contract.ts";
import { TEST_EVENTS } from "./events.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
});

afterAll(() => cluster[Symbol.asyncDispose]());

busContract("a cluster", async (onListenerError) => {
  const options = {
    ...TEST_EVENTS,
    url: cluster.url,
    prefix: `${randomUUID()}:`,
    presenceTtlMs: 30_000,
    presenceGraceMs: 5000,
    onListenerError,
  };
  const [one, other] = await Promise.all([createRedisBus(options), createRedisBus(options)]);
  return {
    one,
    other,
    async [Symbol.asyncDispose]() {
      await Promise.all([one.close(), other.close()]);
    },
  };
});
