/** What comes between: other writes, other messages, other members, at the moment when it could do harm. */
import { expect, test, vi } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { chatOf, contentOf } from "../sessions/scene.ts";
import { follow, page, send } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { createForgetfulBus, createSlowBus, type HeldBus } from "../support/held-bus.ts";
import { Inbox } from "../support/inbox.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument } from "../support/generated/graphql.ts";
import { createSeasonedBackplane } from "../support/backplane.ts";
import { MESSAGES, operationId, visit } from "../support/returning-client.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;

/** The id that sorts so far among those of a chat. */
function idAt(n: number): string {
  return `${String(n).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

test("a ping that falls between the writes of one event to several subscriptions confirms the event to none that has not got it", async () => {
  await using gateway = await startGateway({ HEARTBEAT_INTERVAL: "600000" });
  await using writer = connect(gateway.wsUrl, bob.token);
  await using first = await visit(gateway.wsUrl, alice.token);
  const ids = ["1", "2", "3"];
  const had = ids.map((id) => first.socket.start({ query: MESSAGES }, operationId(id)));
  await first.handled();
  let arrived: readonly (readonly string[])[] = [];
  const pings = new Inbox<void>();
  first.socket.socket.on("ping", () => {
    arrived = had.map(({ all }) => all.map(contentOf));
    pings.put();
  });
  // Confirmations are asked for with the write of an event, and once more when no event is left.
  for (let n = 1; n <= 180; n++) await send(writer, team, `a${n}`);
  await pings.take(2);
  // What came after the last ping is taken for lost on the way.
  await first.handled();
  await first.drop();
  await using second = await visit(gateway.wsUrl, alice.token);
  const again = await Promise.all(ids.map((id) => second.follow(id)));
  await send(writer, team, "a181");
  for (const [index, after] of again.entries()) {
    await after.has("a181");
    const whole = [...(arrived[index] ?? []), ...after.all];
    expect([...new Set(whole)], `subscription ${index}`).toEqual(Array.from({ length: 181 }, (_, n) => `a${n + 1}`));
  }
});

test("a message that is published long after it was created hides none that was created after it", async () => {
  await using backplane = createSeasonedBackplane();
  await using gateway = await startGateway({ EVENTS_SECRET }, { bus: backplane.busOf() });
  await using client = connect(gateway.wsUrl, alice.token);
  const message = gateway.api.data.addMessage({ chatId: team, senderId: bob.id, content: "told late" });
  const { endCursor } = await page(client, team);
  await send(client, team, "a1");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
  try {
    await tell(gateway, { type: "message.created", data: { message } });
    const transcript = follow(client, { chatId: team, after: endCursor });
    await send(client, team, "a2");
    await transcript.has("a2");
    expect(transcript.all).toEqual(["a1", "a2"]);
  } finally {
    vi.useRealTimers();
  }
});

test("a page's cursor tells of all messages of its instant, though the page has not got them all", async () => {
  await using gateway = await startGateway();
  const { data } = gateway.api;
  const { id: chatId } = data.createChat({ participants: [alice.id, bob.id] });
  const createdAt = "2026-02-01T10:00:00.000Z";
  for (let n = 1; n <= 4; n++) data.addMessage({ chatId, senderId: bob.id, content: `a${n}`, createdAt, id: idAt(n) });
  await using client = connect(gateway.wsUrl, alice.token);
  const { endCursor } = await page(client, chatId, 1);
  const transcript = follow(client, { chatId, after: endCursor });
  await send(client, chatId, "a5");
  await transcript.has("a5");
  expect(transcript.all).toEqual(["a5"]);
});

test("somebody removed while a replay is being read gets nothing of that chat", async () => {
  await using before = await startGateway({ EVENTS_SECRET });
  await using early = connect(before.wsUrl, bob.token);
  const cursor = await send(early, shop, "b1");
  await send(early, team, "a1");
  await using gateway = await startGateway({ EVENTS_SECRET, HTTP_API_URL: before.api.url });
  await using client = connect(gateway.wsUrl, bob.token);
  await client.run(ChatsDocument);
  using held = before.api.faults.hold({ method: "GET", path: `/chats/${pair}/messages` });
  using answered = before.api.faults.hold({ method: "GET", path: `/chats/${team}/messages`, when: "processed" });
  const transcript = follow(client, { after: cursor });
  await answered.arrived(1);
  answered.lift();
  await held.arrived(1);
  await client.run(ChatsDocument);
  before.api.data.removeMember(team, bob.id);
  await tell(gateway, { type: "chat.updated", data: { chat: chatOf(team, [alice, carol]) } });
  held.lift();
  await send(client, shop, "b2");
  await transcript.has("b2");
  expect(transcript.all).toEqual(["b2"]);
});

test("in a replay of all chats the last message received is a place from which nothing is missing", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  const { data } = gateway.api;
  await using client = connect(gateway.wsUrl, alice.token);
  const cursor = await send(client, team, "a0");
  // The clocks of those who create messages are apart, and so is their way to the bus.
  const now = Date.now();
  for (const [chatId, content, createdAt] of [
    [shop, "b1", now + 2000],
    [team, "a1", now + 1000],
  ] as const) {
    const message = data.addMessage({
      chatId,
      senderId: bob.id,
      content,
      createdAt: new Date(createdAt).toISOString(),
    });
    await tell(gateway, { type: "message.created", data: { message } });
  }
  const first = client.subscribe(MessageAddedDocument, { after: cursor });
  const { messageAdded } = await first.next();
  first.stop();
  const rest = follow(client, { after: messageAdded.cursor });
  await send(client, team, "barrier");
  await rest.has("barrier");
  expect([messageAdded.content, ...rest.all].toSorted()).toEqual(["a1", "b1", "barrier"]);
});

test("a client that was told CURSOR_EXPIRED and subscribes again under the same id begins anew", async () => {
  await using gateway = await startGateway({ REPLAY_LIMIT: "1" });
  await using writer = connect(gateway.wsUrl, bob.token);
  await using first = await visit(gateway.wsUrl, alice.token);
  await first.follow("1");
  await first.drop();
  for (const content of ["a1", "a2"]) await send(writer, team, content);
  await using second = await visit(gateway.wsUrl, alice.token);
  const refused = await second.follow("1");
  expect(await refused.over()).toMatchObject([{ extensions: { code: "CURSOR_EXPIRED" } }]);
  const anew = await second.follow("1", { query: MESSAGES });
  await send(writer, team, "a3");
  await anew.has("a3");
  expect(anew.all).toEqual(["a3"]);
});

test("soon after the start too a replay is in the order in which everybody else was given the messages", async () => {
  await using gateway = await startGateway({ EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, alice.token);
  const live = follow(client, { chatId: team });
  await send(client, team, "a0");
  const { endCursor } = await page(client, team);
  const createdAt = new Date(Date.now() + 1000).toISOString();
  for (const [n, id] of [
    [1, idAt(2)],
    [2, idAt(1)],
  ] as const) {
    const message = gateway.api.data.addMessage({ chatId: team, senderId: bob.id, content: `a${n}`, createdAt, id });
    await tell(gateway, { type: "message.created", data: { message } });
  }
  await live.has("a2");
  const replayed = follow(client, { chatId: team, after: endCursor });
  await replayed.has("a1", "a2");
  expect(replayed.all).toEqual(live.all.slice(1));
});

test("a client that is gone before its subscription has begun receives what is sent from then on", async () => {
  await using backplane = createSeasonedBackplane();
  const slowBus = createSlowBus(backplane.busOf(), chatTopic(team));
  await using slow = await startGateway({}, { bus: slowBus.bus });
  await using other = await startGateway({ HTTP_API_URL: slow.api.url }, { bus: backplane.busOf() });
  await using first = await visit(slow.wsUrl, alice.token);
  first.socket.start({ query: MESSAGES }, operationId("1"));
  await slowBus.asked();
  await first.drop();
  await using barrier = connect(slow.wsUrl, bob.token);
  await barrier.run(ChatsDocument);
  slowBus.letBegin();
  await using begun = barrier.subscribe(MessageAddedDocument, { chatId: team });
  await send(barrier, team, "a1");
  await begun.next();
  await using second = await visit(other.wsUrl, alice.token);
  const received = await second.follow("1");
  await send(barrier, team, "a2");
  await received.has("a2");
  expect(received.all).toEqual(["a1", "a2"]);
});

test.each<[what: string, create: (bus: Bus<BusEvent>) => HeldBus]>([
  ["its channel comes about", (bus) => createSlowBus(bus, chatTopic(team))],
  ["its position is taken over", (bus) => createForgetfulBus(bus, false)],
  ["its position cannot be read", (bus) => createForgetfulBus(bus, true)],
])("a client that is lost while %s, and is back before that is over, has missed nothing", async (_what, create) => {
  await using backplane = createSeasonedBackplane();
  const heldBus = create(backplane.busOf());
  await using gateway = await startGateway({}, { bus: heldBus.bus });
  await using first = await visit(gateway.wsUrl, alice.token);
  first.socket.start({ query: MESSAGES, variables: { chatId: team } }, operationId("1"));
  await heldBus.asked();
  await first.drop();
  await using writer = connect(gateway.wsUrl, bob.token);
  await send(writer, team, "a1");
  await using second = await visit(gateway.wsUrl, alice.token);
  const received = await second.follow("1", { query: MESSAGES, variables: { chatId: team } });
  heldBus.letBegin();
  await send(writer, team, "a2");
  await received.has("a2");
  expect(received.all).toEqual(["a1", "a2"]);
});

test("a subscription that loses its connection while it is opened takes no position", async () => {
  await using backplane = createSeasonedBackplane();
  const slowBus = createSlowBus(backplane.busOf(), chatTopic(team));
  await using slow = await startGateway({}, { bus: slowBus.bus });
  await using other = await startGateway({ HTTP_API_URL: slow.api.url }, { bus: backplane.busOf() });
  await using writer = connect(other.wsUrl, bob.token);
  await using first = await visit(other.wsUrl, alice.token);
  await first.follow("1");
  await send(writer, team, "a1");
  await first.confirmed();
  await first.drop();
  await using second = await visit(slow.wsUrl, alice.token);
  second.socket.start({ query: MESSAGES }, operationId("1"));
  await slowBus.asked();
  await second.drop();
  await using third = await visit(other.wsUrl, alice.token);
  const received = await third.follow("1");
  await send(writer, team, "a2");
  await received.has("a2");
  slowBus.letBegin();
  await using barrier = connect(slow.wsUrl, alice.token);
  await barrier.run(ChatsDocument);
  await send(writer, team, "a3");
  await received.has("a3");
  await third.confirmed();
  await third.drop();
  await using fourth = await visit(other.wsUrl, alice.token);
  const rest = await fourth.follow("1");
  await send(writer, team, "a4");
  await rest.has("a4");
  expect(rest.all).toEqual(["a4"]);
});
