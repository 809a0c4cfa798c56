import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import { startRedisCluster, type RedisCluster } from "../support/redis-cluster.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { busContract } from "./contract.ts";
import { TEST_EVENTS } from "./events.ts";

let server: RedisServer;
let cluster: RedisCluster;
const closing = new AsyncDisposableStack();

beforeAll(async () => {
  server = closing.use(await startRedis());
  cluster = closing.use(await startRedisCluster());
});

afterAll(() => closing.disposeAsync());

function redisContract(name: string, urlOf: () => string): void {
  busContract(name, async (onListenerError) => {
    const options = {
      ...TEST_EVENTS,
      url: urlOf(),
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
}

redisContract("Redis", () => server.url);
redisContract("a cluster", () => cluster.url);
