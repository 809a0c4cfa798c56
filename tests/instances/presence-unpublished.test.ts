/** Somebody comes, and Redis is gone when the others are to be told. */
import { pino } from "pino";
import { expect, test } from "vitest";
import { Directory } from "../../src/chat/directory.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { USERS_TOPIC } from "../../src/chat/events/topics.ts";
import { Presence } from "../../src/chat/presence.ts";
import { Session } from "../../src/chat/session.ts";
import { Inbox } from "../support/inbox.ts";
import { startRedis } from "../support/redis.ts";
import { startRelay } from "../support/relay.ts";
import { openRedisBus } from "./buses.ts";

const ann = { id: "ann", name: "Ann", email: "ann@example.com", role: null };

test("a change that could not be published is published when Redis is back", async () => {
  await using redis = await startRedis();
  await using relay = await startRelay(redis.url);
  await using here = await openRedisBus(relay.url);
  await using there = await openRedisBus(redis.url);
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
