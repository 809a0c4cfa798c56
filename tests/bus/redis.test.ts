import { afterAll, beforeAll } from "vitest";
import { startRedisCluster, type RedisCluster } from "../support/redis-cluster.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { redisContract } from "./redis-contract.ts";

let server: RedisServer;
let cluster: RedisCluster;
const closing = new AsyncDisposableStack();

beforeAll(async () => {
  server = closing.use(await startRedis());
  cluster = closing.use(await startRedisCluster());
});

afterAll(() => closing.disposeAsync());

redisContract("Redis", () => server.url);
redisContract("a cluster", () => cluster.url);
