/** Somebody who changes a state again and again: the others receive the last one, and hardly more. */
import { expect, onTestFinished, test, vi } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { Pacer } from "../../src/chat/pacer.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { createTestBus } from "../support/bus.ts";
import { connect } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway } from "../support/gateway.ts";
import {
  MeDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";

const [alice, bob] = DEMO_USERS;
const { team } = DEMO_CHATS;

/** A bus that counts what is published and written. */
function countingBus(): Bus<BusEvent> & { readonly published: BusEvent[]; readonly writes: { count: number } } {
  const bus = createTestBus();
  const published: BusEvent[] = [];
  const writes = { count: 0 };
  return {
    ...bus,
    published,
    writes,
    publish(topic, event) {
      published.push(event);
      return bus.publish(topic, event);
    },
    expiringSets: {
      ...bus.expiringSets,
      put(...args) {
        writes.count++;
        return bus.expiringSets.put(...args);
      },
      remove(...args) {
        writes.count++;
        return bus.expiringSets.remove(...args);
      },
    },
  };
}

test("typing that starts and stops hundreds of times is published a few times, and ends as it ended", async () => {
  const bus = countingBus();
  await using gateway = await startGateway({ TYPING_TIMEOUT: "60000" }, { bus });
  await using control = connect(gateway.wsUrl, bob.token);
  await using typing = control.subscribe(TypingChangedDocument, { chatId: team });
  await using received = control.subscribe(MessageAddedDocument, { chatId: team });
  await control.run(MeDocument);
  await using flapper = await openGraphQLSocket(gateway.wsUrl, alice.token);
  const aliases = Array.from(
    { length: 98 },
    (_, n) => `t${n}: setTyping(chatId: "${team}", isTyping: ${n % 2 === 0}) { isTyping }`,
  );
  const begun = performance.now();
  for (let rounds = 0; rounds < 4; rounds++) await flapper.run({ query: `mutation { ${aliases.join(" ")} }` });
  await flapper.run({ query: `mutation { setTyping(chatId: "${team}", isTyping: true) { isTyping } }` });
  let last = false;
  while (!last || typing.waiting.length > 0) last = (await typing.next()).typingChanged.isTyping;
  const changes = (): number => bus.published.filter(({ type }) => type === "typing.changed").length;
  await eventually(() => {
    const newest = bus.published.findLast(({ type }) => type === "typing.changed");
    expect(newest).toMatchObject({ change: { isTyping: true } });
  });
  // 393 changes: ten at once, and one in each 300 ms that it took, however slow this machine is.
  const allowed = 10 + (performance.now() - begun) / 300 + 2;
  expect(changes()).toBeLessThan(allowed);
  expect(bus.writes.count).toBeLessThan(2 * allowed);
  await control.run(SendMessageDocument, { chatId: team, content: "beside it" });
  expect((await received.next()).messageAdded.content).toBe("beside it");
});

test("a user who comes and goes is published a few times, and is online in the end", async () => {
  const bus = countingBus();
  await using gateway = await startGateway({ PRESENCE_GRACE: "0" }, { bus });
  await using control = connect(gateway.wsUrl, bob.token);
  await using presence = control.subscribe(PresenceChangedDocument, { chatId: team });
  await control.run(MeDocument);
  const begun = performance.now();
  for (let visits = 0; visits < 30; visits++) {
    await using visitor = await openGraphQLSocket(gateway.wsUrl, alice.token);
    await visitor.run({ query: "{ me { id } }" });
  }
  await using stays = await openGraphQLSocket(gateway.wsUrl, alice.token);
  await stays.run({ query: "{ me { id } }" });
  await eventually(() => {
    const newest = bus.published.findLast(
      (event) => event.type === "presence.changed" && event.presence.user.id === alice.id,
    );
    expect(newest).toMatchObject({ presence: { online: true } });
  });
  const changes = bus.published.filter(
    (event) => event.type === "presence.changed" && event.presence.user.id === alice.id,
  );
  // 61 changes: five at once, one in each second, and each said again at most where it has changed meanwhile.
  expect(changes.length).toBeLessThan(2 * (5 + (performance.now() - begun) / 1000 + 2));
  let online = false;
  while (!online) {
    const { presenceChanged } = await presence.next();
    online = presenceChanged.user.id === alice.id && presenceChanged.online;
  }
});

test("what is put off is done once, when its time has come", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const done: string[] = [];
  const pacer = new Pacer(2, 30);
  const take = (name: string): void => {
    const later = async (): Promise<void> => void done.push(`later ${name}`);
    if (pacer.take("key", later)) done.push(name);
  };
  for (const name of ["a", "b", "c", "d", "e"]) take(name);
  expect(done).toEqual(["a", "b"]);
  vi.advanceTimersByTime(30);
  expect(done).toEqual(["a", "b", "later c"]);
  take("f");
  vi.advanceTimersByTime(30);
  expect(done.at(-1)).toMatch(/f$/);
  expect(done).toHaveLength(4);
  expect(pacer.close()).toEqual([]);
});

test("what waits at the end is given back", async () => {
  const done: string[] = [];
  const pacer = new Pacer(1, 600_000);
  for (const name of ["a", "b", "c"]) {
    const later = async (): Promise<void> => void done.push(name);
    if (pacer.take("key", later)) done.push(name);
  }
  for (const later of pacer.close()) await later();
  expect(done).toEqual(["a", "b"]);
});
