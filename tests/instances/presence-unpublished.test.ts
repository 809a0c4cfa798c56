/** Somebody comes, and Redis is gone when the others are to be told. */
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { createRedisBus } from "../../src/bus/redis/redis-bus.ts";
import { Directory } from "../../src/chat/directory.ts";
import { decodeEvent, idOf, kindOf, type BusEvent } from "../../src/chat/events/registry.ts";
import { USERS_TOPIC } from "../../src/chat/events/topics.ts";
import { Presence } from "../../src/chat/presence.ts";
import { Session } from "../../src/chat/session.ts";
import { Inbox } from "../support/inbox.ts";
import { startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";

const ann = { id: "ann", name: "Ann", email: "ann@example.com", role: null };

async function open(url: string): Promise<Bus<BusEvent> & AsyncDisposable> {
  const onListenerError = (error: unknown): never => {
    throw error;
  };
  const codec = { kindOf, idOf, decode: decodeEvent, logAgeMs: 60_000, onListenerError };
  const bus = await createRedisBus({ ...codec, url, prefix: "", presenceTtlMs: 30_000, presenceGraceMs: 100 });
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
}

test("a change that could not be published is published when Redis is back", async () => {
  await using redis = await startRedis();
  await using relay = await startRelay(redis.url);
  await using here = await open(relay.url);
  await using there = await open(redis.url);
  const heard = new Inbox<BusEvent>();
  await there.subscribe(USERS_TOPIC, { receive: heard.put });
  const isAway = Promise.withResolvers<void>();
  const presence = new Presence(
    {
      publish: (...args) => here.publish(...args),
      observe: (listener) => here.observe(listener),
      presence: {
        leave: (...args) => here.presence.leave(...args),
        settle: (...args) => here.presence.settle(...args),
        announced: (...args) => here.presence.announced(...args),
        read: (...args) => here.presence.read(...args),
        onTransition: (listener) => here.presence.onTransition(listener),
        async enter(...args) {
          const isNews = await here.presence.enter(...args);
          relay.freeze();
          relay.cut();
          await expect.poll(() => here.isConnected).toBe(false);
          isAway.resolve();
          return isNews;
        },
      },
    },
    0,
    pino({ level: "silent" }),
  );
  presence.opened(new Session({ token: "t", tokenHash: "h", user: ann }, new Directory()));
  await isAway.promise;
  relay.thaw();
  expect(await heard.next()).toMatchObject({ presence: { user: { id: "ann" }, online: true } });
  await presence.close();
});
