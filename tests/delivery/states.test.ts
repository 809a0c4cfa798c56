/** What a reader of states has been told, when nobody can say for a while whether it is still so. */
import { expect, test } from "vitest";
import { Directory } from "../../src/chat/directory.ts";
import { USERS_TOPIC, type PresenceChanged } from "../../src/chat/events.ts";
import { Session } from "../../src/chat/session.ts";
import { openStream } from "../../src/fanout/stream.ts";
import { createTestBus, createTestFanout } from "../support/bus.ts";

const at = "2026-01-31T09:30:00.000Z";
const me = { id: "me", name: "Mary", email: "mary@example.com", role: null };
const ann = { id: "ann", name: "Ann" };

function presence(online: boolean): PresenceChanged {
  return { type: "presence.changed", presence: { user: ann, online, lastSeenAt: online ? null : at } };
}

test("whoever could not be asked about is not taken for offline: that somebody has gone is told", async () => {
  const bus = createTestBus();
  const directory = new Directory();
  const fanout = createTestFanout(bus, directory);
  await fanout.start();
  const session = new Session({ token: "t", tokenHash: "h", user: me }, directory);
  const chat = { id: "a", title: null, lastMessage: null, unreadCount: 0, createdAt: at, updatedAt: at };
  directory.replace("me", [{ ...chat, participants: [me, ann] }], directory.now());
  let present = [presence(true)];
  const stream = await openStream(fanout, bus.log, {
    type: "presence.changed",
    session,
    chatId: undefined,
    takes: () => true,
    stateOf: (event) => ({ key: event.presence.user.id, value: event.presence.online }),
    snapshot: async () => present,
  });
  const next = async (): Promise<unknown> => (await stream.next()).value?.presence.online;
  expect(await next()).toBe(true);
  present = [];
  await stream.refresh();
  await bus.publish(USERS_TOPIC, presence(false));
  expect(await next()).toBe(false);
  await bus.publish(USERS_TOPIC, presence(false));
  await bus.publish(USERS_TOPIC, presence(true));
  expect(await next()).toBe(true);
  await stream.return();
  await fanout.close();
});
