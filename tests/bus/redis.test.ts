import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { createRedisBus } from "../../src/bus/redis.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { busContract } from "./contract.ts";
import { TEST_EVENTS } from "./events.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server[Symbol.asyncDispose]());

busContract("Redis", async (onListenerError) => {
  const options = {
    ...TEST_EVENTS,
    url: server.url,
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
