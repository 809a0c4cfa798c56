/** What happens while a subscription is being opened, or a chat entered. */
import { expect, test } from "vitest";
import { chatTopic } from "../../src/chat/events/topics.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { chatOf } from "../sessions/scene.ts";
import { createSeasonedBackplane } from "../support/backplane.ts";
import { follow, send } from "../support/chatting.ts";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument } from "../support/generated/graphql.ts";
import { createForgetfulBus, createSlowBus } from "../support/held-bus.ts";
import { MESSAGES, operationId, visit } from "../support/returning-client.ts";

const [alice, bob] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

test("a message that a client sends right after it has subscribed is part of the subscription", async () => {
  await using gateway = await startGateway();
  const { data } = gateway.api;
  const chats = Array.from({ length: 10 }, () => data.createChat({ participants: [alice.id, bob.id] }).id);
  await using client = connect(gateway.wsUrl, alice.token);
  await client.run(ChatsDocument);
  for (const chatId of chats) {
    const received = follow(client, { chatId });
    await send(client, chatId, "first");
    await send(client, chatId, "second");
    await received.has("second");
    expect(received.all).toEqual(["first", "second"]);
  }
});

test("a subscription that was completed while it was opened is not continued, though its connection is lost", async () => {
  await using backplane = createSeasonedBackplane();
  const slowBus = createSlowBus(backplane.busOf(), chatTopic(team));
  await using slow = await startGateway({}, { bus: slowBus.bus });
  await using other = await startGateway({ HTTP_API_URL: slow.api.url }, { bus: backplane.busOf() });
  await using writer = connect(other.wsUrl, bob.token);
  await using first = await visit(slow.wsUrl, alice.token);
  const id = operationId("1");
  first.socket.start({ query: MESSAGES }, id);
  await slowBus.asked();
  first.socket.socket.send(JSON.stringify({ id, type: "complete" }));
  await first.handled();
  await first.drop();
  await using barrier = connect(slow.wsUrl, bob.token);
  await barrier.run(ChatsDocument);
  await send(writer, team, "a1");
  await using second = await visit(other.wsUrl, alice.token);
  const received = await second.follow("1");
  await send(writer, team, "a2");
  await received.has("a2");
  expect(received.all).toEqual(["a2"]);
});

test("what arrives while other chats are entered is not lost with the connection", async () => {
  await using backplane = createSeasonedBackplane();
  const slowBus = createSlowBus(backplane.busOf(), chatTopic(shop));
  const heldBus = createForgetfulBus(slowBus.bus, false);
  await using slow = await startGateway({}, { bus: heldBus.bus });
  await using other = await startGateway({ HTTP_API_URL: slow.api.url }, { bus: backplane.busOf() });
  await using writer = connect(other.wsUrl, bob.token);
  await using first = await visit(slow.wsUrl, alice.token);
  first.socket.start({ query: MESSAGES }, operationId("1"));
  await slowBus.asked();
  await send(writer, team, "a1");
  slowBus.letBegin();
  await heldBus.asked();
  await first.drop();
  heldBus.letBegin();
  await using second = await visit(other.wsUrl, alice.token);
  const received = await second.follow("1");
  await send(writer, team, "a2");
  await received.has("a2");
  expect(received.all).toEqual(["a1", "a2"]);
});

/**
 * Alice follows all her chats, and is added to a new one that her gateway does not enter before it is let. Its first message, `b1`, has been
 * sent.
 */
async function enterChat() {
  await using starting = new AsyncDisposableStack();
  const chatId = "a-new-chat";
  const backplane = starting.use(createSeasonedBackplane());
  const slowBus = createSlowBus(backplane.busOf(), chatTopic(chatId));
  const slow = starting.use(await startGateway({ EVENTS_SECRET }, { bus: slowBus.bus }));
  const environment = { EVENTS_SECRET, HTTP_API_URL: slow.api.url };
  const other = starting.use(await startGateway(environment, { bus: backplane.busOf() }));
  const writer = starting.use(connect(other.wsUrl, bob.token));
  const client = starting.use(await visit(slow.wsUrl, alice.token));
  const received = await client.follow("1");
  slow.api.data.createChat({ id: chatId, participants: [alice.id, bob.id] });
  await tell(other, { type: "chat.created", data: { chat: chatOf(chatId, [alice, bob]) } });
  await slowBus.asked();
  await send(writer, chatId, "b1");
  const running = starting.move();
  return {
    chatId,
    slowBus,
    other,
    writer,
    client,
    received,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

test("a client that is lost while a chat is entered receives the chat's messages when it is back", async () => {
  await using scene = await enterChat();
  const { other, writer, client: first, received: before } = scene;
  await send(writer, team, "a1");
  await before.has("a1");
  await first.confirmed();
  await first.drop();
  await using second = await visit(other.wsUrl, alice.token);
  const received = await second.follow("1");
  await send(writer, team, "a2");
  await received.has("a2");
  expect(received.all).toEqual(["b1", "a2"]);
});

test("a second subscription that is opened while a chat is entered doubles nothing for the first", async () => {
  await using scene = await enterChat();
  const { chatId, slowBus, writer, client, received: first } = scene;
  client.socket.start({ query: MESSAGES }, operationId("2"));
  await client.handled();
  await send(writer, chatId, "b2");
  slowBus.letBegin();
  await send(writer, chatId, "b3");
  await first.has("b3");
  expect(first.all).toEqual(["b1", "b2", "b3"]);
});
