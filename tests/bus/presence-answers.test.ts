/** Answers of Redis about who is online that are lost. */
import { expect, test } from "vitest";
import { BusUnavailable, type PresentUser } from "../../src/bus/bus.ts";
import { redisKeys } from "../../src/bus/redis/keys.ts";
import { RedisPresence, type PresenceParts } from "../../src/bus/redis/presence/presence.ts";
import { RETURN } from "../../src/bus/redis/presence/scripts.ts";

const anna = { id: "anna", name: "ANNA" };

/** Redis, which puts a user online that others had put offline, and whose first answer to that is lost. */
function forgetful(): PresenceParts["connection"] {
  let returns = 0;
  const connection = {
    async run() {
      return 1;
    },
    async script(script: unknown, _keys: unknown, [, isKnown]: readonly unknown[]) {
      if (script !== RETURN) return 1;
      if (++returns === 1) throw new BusUnavailable();
      // She is online by this instance already: it is announced where the others do not know.
      return isKnown === 1 ? 0 : 1;
    },
  };
  return connection as unknown as PresenceParts["connection"];
}

test("a user who is online again is announced although the first answer was lost", async () => {
  const keys = redisKeys("", { database: 0, isCluster: false });
  const onListenerError = (error: unknown): never => {
    throw error;
  };
  const presence = new RedisPresence({ connection: forgetful(), keys, graceMs: 100, onListenerError }, "instance");
  const told: PresentUser[] = [];
  presence.onTransition((user) => void told.push(user));
  expect(await presence.enter(anna, "lease")).toBe(true);
  // The others took this instance for dead, and put its users offline.
  presence.rename("instance.1");
  await presence.reconcile();
  expect(told).toEqual([]);
  await presence.reconcile();
  expect(told).toEqual([anna]);
});
