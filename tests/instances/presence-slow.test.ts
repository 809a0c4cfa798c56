/** Redis does not answer in time when somebody's presence is to be announced. */
import { pino } from "pino";
import { expect, test } from "vitest";
import { BusUnavailable, type Bus } from "../../src/bus/bus.ts";
import { Directory } from "../../src/chat/directory.ts";
import { Presence } from "../../src/chat/presence.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { USERS_TOPIC } from "../../src/chat/events/topics.ts";
import { Session } from "../../src/chat/session.ts";
import { createTestBus } from "../support/bus.ts";
import { Inbox } from "../support/inbox.ts";

const ann = { id: "ann", name: "Ann", email: "ann@example.com", role: null };

test("a presence that cannot be read is not guessed, and announced when it can be", async () => {
  const bus: Bus<BusEvent> = createTestBus();
  const received = new Inbox<BusEvent>();
  await bus.subscribe(USERS_TOPIC, { receive: received.put });
  // Ann has a device on another instance.
  await bus.presence.enter(ann, "lease on another instance");
  let unread = 2;
  const presence = new Presence(
    {
      publish: (...args) => bus.publish(...args),
      observe: (listener) => bus.observe(listener),
      presence: {
        enter: async () => false,
        leave: async () => true,
        settle: async () => true,
        announced: async () => undefined,
        onTransition: (listener) => bus.presence.onTransition(listener),
        read: async (userIds) => (unread-- > 0 ? Promise.reject(new BusUnavailable()) : bus.presence.read(userIds)),
      },
    },
    0,
    pino({ level: "silent" }),
  );
  const session = new Session({ token: "t", tokenHash: "h", user: ann }, new Directory());
  presence.opened(session);
  presence.closed(session);
  expect(await received.next()).toMatchObject({ presence: { user: { id: "ann" }, online: true } });
  expect(received.all).toHaveLength(1);
  await presence.close();
  await bus.close();
});

test("what was told, and could not be looked after, is not told again", async () => {
  const bus: Bus<BusEvent> = createTestBus();
  const received = new Inbox<BusEvent>();
  await bus.subscribe(USERS_TOPIC, { receive: received.put });
  const reads = new Inbox<boolean>();
  let published = 0;
  let isAway = false;
  const presence = new Presence(
    {
      async publish(...args) {
        const result = await bus.publish(...args);
        isAway = ++published === 1;
        return result;
      },
      observe: (listener) => bus.observe(listener),
      presence: {
        ...bus.presence,
        async read(userIds) {
          const wasAway = isAway;
          isAway = false;
          reads.put(wasAway);
          if (wasAway) throw new BusUnavailable();
          return bus.presence.read(userIds);
        },
      },
    },
    0,
    pino({ level: "silent" }),
  );
  const session = new Session({ token: "t", tokenHash: "h", user: ann }, new Directory());
  presence.opened(session);
  expect(await received.next()).toMatchObject({ presence: { online: true } });
  // Before it was told, right after it, and when that is tried again.
  expect(await reads.take(3)).toEqual([false, true, false]);
  presence.closed(session);
  expect(await received.next()).toMatchObject({ presence: { online: false } });
  expect(received.all).toHaveLength(2);
  await presence.close();
  await bus.close();
});
