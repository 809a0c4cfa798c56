import { createClient } from "graphql-ws";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import {
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { Queue } from "../support/queue.ts";
import { startRelay } from "../support/relay.ts";
import { connectGraphqlWs } from "./stock-clients.ts";

test("graphql-ws with nothing but an address and a token comes back after a restart of the gateway", async () => {
  await using gateway = await startGateway();
  await using successor = await startGateway();
  const chatId = successor.api.demoChatId;
  await using relay = await startRelay(gateway.wsUrl);
  const closed = Promise.withResolvers<unknown>();
  await using client = connectGraphqlWs(
    createClient({
      url: relay.url,
      connectionParams: { authorization: "Bearer bob-token" },
      on: { closed: closed.resolve },
    }),
  );
  const messages = client.subscribe(MessageAddedDocument, { chatId });
  const presence = client.subscribe(PresenceChangedDocument);
  await client.settled();

  await using friend = connect(successor.wsUrl, "alice-token");
  await friend.acknowledged;
  relay.redirect(Number(new URL(successor.url).port));
  await gateway.close();
  expect(await closed.promise).toMatchObject({ code: 1012, reason: "Service restart" });
  expect((await presence.next()).presenceChanged).toMatchObject({ user: { name: "Alice Adams" }, online: true });
  await client.settled();
  const { sendMessage } = await friend.run(SendMessageDocument, { chatId, content: "Still there?" });
  expect((await messages.next()).messageAdded).toEqual(sendMessage);
});

interface Message {
  readonly id?: string;
  readonly type: string;
  readonly payload?: unknown;
}

/** A socket and JSON: what somebody writes who has no library. */
async function openRaw(wsUrl: string) {
  const socket = new WebSocket(wsUrl, "graphql-transport-ws");
  const messages = new Queue<Message>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.addEventListener("message", ({ data }) => messages.push(JSON.parse(String(data)) as Message));
  socket.addEventListener("close", ({ code, reason }) => {
    closed.resolve({ code, reason });
    messages.end();
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  return {
    socket,
    closed: closed.promise,
    send: (message: Message) => socket.send(JSON.stringify(message)),
    next: () => messages.next(),
    [Symbol.dispose]: () => socket.close(),
  };
}

test("a plain socket speaks the protocol by hand", async () => {
  await using gateway = await startGateway();
  const [alice] = gateway.api.users;
  const chatId = gateway.api.demoChatId;
  using raw = await openRaw(gateway.wsUrl);
  expect(raw.socket.protocol).toBe("graphql-transport-ws");

  raw.send({ type: "connection_init", payload: { token: alice?.token } });
  const ack = { userId: alice?.id, chatIds: expect.arrayContaining([chatId]) };
  expect(await raw.next()).toEqual({ type: "connection_ack", payload: ack });
  raw.send({ type: "ping", payload: { at: 1 } });
  expect(await raw.next()).toEqual({ type: "pong", payload: { at: 1 } });

  raw.send({ id: "s", type: "subscribe", payload: { query: "subscription { messageAdded { content } }" } });
  raw.send({ id: "q", type: "subscribe", payload: { query: "{ me { name } chats { id } }" } });
  const answer = { data: { me: { name: alice?.name }, chats: expect.arrayContaining([{ id: chatId }]) } };
  expect(await raw.next()).toEqual({ id: "q", type: "next", payload: answer });
  expect(await raw.next()).toEqual({ id: "q", type: "complete" });

  const query =
    "mutation ($chatId: ID!, $content: String!) { sendMessage(chatId: $chatId, content: $content) { content } }";
  raw.send({ id: "m", type: "subscribe", payload: { query, variables: { chatId, content: "By hand" } } });
  const received = [await raw.next(), await raw.next(), await raw.next()];
  expect(received.toSorted((one, other) => String(other.id).localeCompare(String(one.id)))).toEqual([
    { id: "s", type: "next", payload: { data: { messageAdded: { content: "By hand" } } } },
    { id: "m", type: "next", payload: { data: { sendMessage: { content: "By hand" } } } },
    { id: "m", type: "complete" },
  ]);

  raw.send({ id: "w", type: "subscribe", payload: { query: "{ me { name }" } });
  expect(await raw.next()).toMatchObject({
    id: "w",
    type: "error",
    payload: [{ extensions: { code: "GRAPHQL_PARSE_FAILED" } }],
  });

  raw.send({ id: "s", type: "complete" });
  raw.send({ id: "n", type: "subscribe", payload: { query, variables: { chatId, content: "Unheard" } } });
  expect(await raw.next()).toMatchObject({ id: "n", type: "next" });
  expect(await raw.next()).toEqual({ id: "n", type: "complete" });
});

test("a plain socket without a token is closed with 4403, and one beside it goes on", async () => {
  await using gateway = await startGateway();
  const chatId = gateway.api.demoChatId;
  await using friend = connect(gateway.wsUrl, "bob-token");
  await using typing = friend.subscribe(TypingChangedDocument, { chatId });
  using refused = await openRaw(gateway.wsUrl);
  refused.send({ type: "connection_init" });
  expect(await refused.closed).toEqual({ code: 4403, reason: "Token missing" });

  using accepted = await openRaw(gateway.wsUrl);
  accepted.send({ type: "connection_init", payload: { Authorization: "Bearer alice-token" } });
  expect(await accepted.next()).toMatchObject({ type: "connection_ack" });
  const query = "mutation ($id: ID!) { setTyping(chatId: $id, isTyping: true) { isTyping } }";
  accepted.send({ id: "t", type: "subscribe", payload: { query, variables: { id: chatId } } });
  expect((await typing.next()).typingChanged).toMatchObject({ user: { name: "Alice Adams" }, isTyping: true });
});
