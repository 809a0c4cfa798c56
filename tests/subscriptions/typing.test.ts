import { print } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, type Received, type TestClient } from "../support/client.ts";
import { refusal } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MessageAddedDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
  type TypingChangedSubscription,
} from "../support/generated/graphql.ts";
import { HeldTimers } from "../support/held-timers.ts";
import { Inbox } from "../support/inbox.ts";
import { overHttp, runnerOver, TRANSPORTS, type Runner } from "../support/runner.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

const TIMEOUT_MS = 54_321;

/** An indicator stops by itself when a test says so. */
const PATIENT = { TYPING_TIMEOUT: String(TIMEOUT_MS) };

async function type(client: Runner, chatId: string, isTyping = true): Promise<void> {
  await client.run(SetTypingDocument, { chatId, isTyping });
}

/** Who it is and whether: all that a test has to look at. */
async function next(received: Received<TypingChangedSubscription>): Promise<string> {
  const { user, isTyping } = (await received.next()).typingChanged;
  return `${user.name} ${isTyping ? "starts" : "stops"}`;
}

describe.each(TRANSPORTS)("over %s", (transport) => {
  test("who starts and stops to type is seen by the others", async () => {
    await using gateway = await startGateway(PATIENT);
    await using typist = runnerOver(transport, gateway, alice.token);
    await using watcher = connect(gateway.wsUrl, bob.token);
    await using ofAll = watcher.subscribe(TypingChangedDocument);
    await using ofShop = watcher.subscribe(TypingChangedDocument, { chatId: shop });
    await watcher.run(ChatsDocument);
    const change = { id: `${shop}:${alice.id}`, chatId: shop, user: { id: alice.id, name: alice.name } };
    const { setTyping } = await typist.run(SetTypingDocument, { chatId: shop, isTyping: true });
    expect(setTyping).toEqual({ ...change, isTyping: true });
    for (const received of [ofAll, ofShop]) expect((await received.next()).typingChanged).toEqual(setTyping);
    const { setTyping: stopped } = await typist.run(SetTypingDocument, { chatId: shop, isTyping: false });
    expect(stopped).toEqual({ ...change, isTyping: false });
    for (const received of [ofAll, ofShop]) expect((await received.next()).typingChanged).toEqual(stopped);
  });

  test("an indicator stops by itself", async () => {
    using indicators = new HeldTimers(TIMEOUT_MS);
    await using gateway = await startGateway(PATIENT);
    await using typist = runnerOver(transport, gateway, alice.token);
    await using watcher = connect(gateway.wsUrl, bob.token);
    await using received = watcher.subscribe(TypingChangedDocument);
    await watcher.run(ChatsDocument);
    await type(typist, shop);
    expect(await next(received)).toBe("Alice Adams starts");
    indicators.runOut();
    expect(await next(received)).toBe("Alice Adams stops");
  });

  test("an indicator stops before the message that was typed arrives", async () => {
    await using gateway = await startGateway(PATIENT);
    await using typist = runnerOver(transport, gateway, alice.token);
    await using watcher = connect(gateway.wsUrl, bob.token);
    const arrived = new Inbox<object>();
    for (const document of [MessageAddedDocument, TypingChangedDocument]) {
      watcher.client.subscribe(
        { query: print(document) },
        { next: ({ data }) => arrived.put(data ?? {}), error: () => undefined, complete: () => undefined },
      );
    }
    await watcher.run(ChatsDocument);
    await type(typist, shop);
    await type(typist, team);
    await typist.run(SendMessageDocument, { chatId: shop, content: "typed" });
    expect(await arrived.take(4)).toMatchObject([
      { typingChanged: { chatId: shop, isTyping: true } },
      { typingChanged: { chatId: team, isTyping: true } },
      { typingChanged: { chatId: shop, isTyping: false } },
      { messageAdded: { chatId: shop, content: "typed" } },
    ]);
  });

  test.each([
    ["of others", shop, "NOT_PARTICIPANT"],
    ["that does not exist", "no-such-chat", "NOT_FOUND"],
  ])("nobody types in a chat %s", async (_which, chatId, code) => {
    await using gateway = await startGateway();
    await using typist = runnerOver(transport, gateway, carol.token);
    for (const isTyping of [true, false]) {
      expect(await refusal(typist.run(SetTypingDocument, { chatId, isTyping }))).toEqual({ code });
    }
  });
});

test("who is typing already comes first", async () => {
  await using gateway = await startGateway(PATIENT);
  await using typist = connect(gateway.wsUrl, bob.token);
  await using other = overHttp(gateway.url, carol.token);
  await using watcher = connect(gateway.wsUrl, alice.token);
  await type(typist, shop);
  await type(typist, pair);
  await type(other, team);
  await type(typist, team);
  await using ofTeam = watcher.subscribe(TypingChangedDocument, { chatId: team });
  expect([await next(ofTeam), await next(ofTeam)].toSorted()).toEqual(["Bob Brown starts", "Carol Clark starts"]);
  await using ofAll = watcher.subscribe(TypingChangedDocument);
  const changes = [await ofAll.next(), await ofAll.next(), await ofAll.next()].map((event) => event.typingChanged);
  expect(changes.map(({ chatId, user }) => `${chatId} ${user.id}`).toSorted()).toEqual([
    `${shop} ${bob.id}`,
    `${team} ${bob.id}`,
    `${team} ${carol.id}`,
  ]);
  await type(other, team, false);
  for (const received of [ofTeam, ofAll]) expect(await next(received)).toBe("Carol Clark stops");
});

test("repeating it is no event, and prolongs it past one that started later", async () => {
  using indicators = new HeldTimers(TIMEOUT_MS);
  await using gateway = await startGateway(PATIENT);
  await using one = connect(gateway.wsUrl, bob.token);
  await using two = connect(gateway.wsUrl, carol.token);
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(TypingChangedDocument, { chatId: team });
  await Promise.all([one, two, watcher].map((client) => client.run(ChatsDocument)));
  await type(one, team);
  await type(two, team);
  await type(one, team);
  expect([await next(received), await next(received)]).toEqual(["Bob Brown starts", "Carol Clark starts"]);
  indicators.runOut();
  expect([await next(received), await next(received)]).toEqual(["Carol Clark stops", "Bob Brown stops"]);
});

test("stopping what has not started is no event", async () => {
  await using gateway = await startGateway(PATIENT);
  await using typist = connect(gateway.wsUrl, bob.token);
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(TypingChangedDocument);
  await watcher.run(ChatsDocument);
  await type(typist, shop, false);
  await type(typist, shop);
  expect(await next(received)).toBe("Bob Brown starts");
});

test("nobody sees one's own typing, on whatever device", async () => {
  await using gateway = await startGateway(PATIENT);
  await using one = connect(gateway.wsUrl, alice.token);
  await using two = connect(gateway.wsUrl, alice.token);
  await using other = connect(gateway.wsUrl, bob.token);
  const running = [one, two].map((client) => client.subscribe(TypingChangedDocument, { chatId: shop }));
  await Promise.all([one, two].map((client) => client.run(ChatsDocument)));
  await type(one, shop);
  const late = two.subscribe(TypingChangedDocument);
  await two.run(ChatsDocument);
  await type(other, shop);
  for (const received of [...running, late]) expect(await next(received)).toBe("Bob Brown starts");
});

test("outsiders see nothing", async () => {
  await using gateway = await startGateway(PATIENT);
  await using typist = connect(gateway.wsUrl, bob.token);
  await using outsider = connect(gateway.wsUrl, alice.token);
  await type(typist, pair);
  await using received = outsider.subscribe(TypingChangedDocument);
  await outsider.run(ChatsDocument);
  await type(typist, pair, false);
  await type(typist, pair);
  await type(typist, shop);
  expect((await received.next()).typingChanged).toMatchObject({ chatId: shop, user: { id: bob.id } });
});

describe("a typist who disconnects", () => {
  test.each([
    ["says goodbye", (client: TestClient) => client[Symbol.asyncDispose]()],
    ["is cut off", async (client: TestClient) => client.client.terminate()],
  ])("and %s stops typing everywhere", async (_how, leave) => {
    await using gateway = await startGateway(PATIENT);
    const typist = connect(gateway.wsUrl, bob.token);
    await using watcher = connect(gateway.wsUrl, alice.token);
    await using received = watcher.subscribe(TypingChangedDocument);
    await watcher.run(ChatsDocument);
    await type(typist, shop);
    await type(typist, team);
    expect([await next(received), await next(received)]).toEqual(["Bob Brown starts", "Bob Brown starts"]);
    await leave(typist);
    const stops = [await received.next(), await received.next()].map((event) => event.typingChanged);
    expect(stops.map(({ chatId }) => chatId).toSorted()).toEqual([shop, team]);
    expect(stops.some(({ isTyping }) => isTyping)).toBe(false);
  });

  test("on one of two devices types on", async () => {
    await using gateway = await startGateway(PATIENT);
    const one = connect(gateway.wsUrl, bob.token);
    const two = connect(gateway.wsUrl, bob.token);
    await using watcher = connect(gateway.wsUrl, alice.token);
    await using received = watcher.subscribe(TypingChangedDocument);
    await watcher.run(ChatsDocument);
    await type(one, shop);
    await type(two, shop);
    await type(one, team);
    expect([await next(received), await next(received)]).toEqual(["Bob Brown starts", "Bob Brown starts"]);
    await one[Symbol.asyncDispose]();
    expect((await received.next()).typingChanged).toMatchObject({ chatId: team, isTyping: false });
    // What both have said stands as long as one of them is there.
    await type(two, shop);
    await two[Symbol.asyncDispose]();
    expect((await received.next()).typingChanged).toMatchObject({ chatId: shop, isTyping: false });
  });
});

test("typing that stopped while the watcher was no member is seen when it starts again", async () => {
  await using gateway = await startGateway(PATIENT);
  await using typist = connect(gateway.wsUrl, bob.token);
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(TypingChangedDocument);
  await Promise.all([typist, watcher].map((client) => client.run(ChatsDocument)));
  await type(typist, shop);
  expect(await next(received)).toBe("Bob Brown starts");
  const removal = gateway.api.data.removeMember(shop, alice.id);
  await typist.run(ChatsDocument);
  await type(typist, shop, false);
  removal.lift();
  await typist.run(ChatsDocument);
  await type(typist, shop);
  await type(typist, team);
  expect((await received.next()).typingChanged).toMatchObject({ chatId: shop, isTyping: true });
});

test("who is typing in a chat that one joins comes at once", async () => {
  await using gateway = await startGateway(PATIENT);
  await using typist = connect(gateway.wsUrl, bob.token);
  await using watcher = connect(gateway.wsUrl, alice.token);
  await using received = watcher.subscribe(TypingChangedDocument);
  await watcher.run(ChatsDocument);
  await type(typist, pair);
  gateway.api.data.addMember(pair, alice.id);
  await typist.run(ChatsDocument);
  expect((await received.next()).typingChanged).toMatchObject({ chatId: pair, user: { id: bob.id }, isTyping: true });
});
