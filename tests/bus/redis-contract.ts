/** What a bus over Redis promises, wherever that Redis is. */
import { randomUUID } from "node:crypto";
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import { busContract } from "./contract.ts";
import { TEST_EVENTS } from "./events.ts";
import { connected } from "./redis-scene.ts";

/** @param urlOf called when the server has been started. */
export function redisContract(name: string, urlOf: () => string): void {
  busContract(name, async (onListenerError) => {
    const options = {
      ...TEST_EVENTS,
      url: urlOf(),
      prefix: `chat:${randomUUID()}:`,
      presenceTtlMs: 30_000,
      presenceGraceMs: 5000,
      onListenerError,
    };
    const [one, other] = await Promise.all([createRedisBus(options), createRedisBus(options)]);
    for (const bus of [one, other]) await connected(bus);
    return {
      one,
      other,
      async [Symbol.asyncDispose]() {
        await Promise.all([one.close(), other.close()]);
      },
    };
  });
}
