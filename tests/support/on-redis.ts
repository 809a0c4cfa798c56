/** Starts the Redis on which the gateways of a whole project of tests run, each in a part of it of its own. */
import type { TestProject } from "vitest/node";
import { startRedis } from "./redis.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the gateways of these tests find one another; undefined: in memory. */
    readonly redisUrl?: string;
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const redis = await startRedis();
  project.provide("redisUrl", redis.url);
  return async () => {
    await redis[Symbol.asyncDispose]();
  };
}
