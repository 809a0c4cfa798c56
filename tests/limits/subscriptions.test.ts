/** MAX_SUBSCRIPTIONS and MAX_PAYLOAD_SIZE: what one connection may have and send is what they say. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { openGraphQLSocket } from "../support/graphql-socket.ts";
import { postOperation } from "../support/http.ts";
import { json } from "../support/scripted-server.ts";
import { byToken, chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

const MEMBERS = { participants: ["ann", "ben"], participantNames: ["Ann", "Ben"] };
const SELECTION =
  "{ id chatId content createdAt readAt cursor clientMessageId sender { id name } readBy { reader { id } readAt } }";

test.each([
  [
    "each with its chat in its text",
    100,
    (chatId: string) => ({ query: `subscription OnMessage { messageAdded(chatId: "${chatId}") ${SELECTION} }` }),
  ],
  [
    "of one text",
    1000,
    (chatId: string) => ({
      query: `subscription OnMessage($chatId: ID) { messageAdded(chatId: $chatId) ${SELECTION} }`,
      variables: { chatId },
    }),
  ],
])("a connection has all its subscriptions, %s", async (_, count, operationOn) => {
  const ids = Array.from({ length: count }, () => randomUUID());
  await using api = await startSmallApi({ chats: ids.map((id) => chatRecord(id, MEMBERS)), answer: byToken });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, MAX_SUBSCRIPTIONS: String(count) });
  await using socket = await openGraphQLSocket(gateway.wsUrl, "ann");
  for (const id of ids) socket.start(operationOn(id), randomUUID());
  await socket.run({ query: "{ me { id } }" });
  expect(socket.messages.filter((message) => message.includes('"error"'))).toEqual([]);
});

test("a message as long as MAX_PAYLOAD_SIZE allows is sent over WebSocket as over HTTP", async () => {
  await using api = await startSmallApi({
    chats: [chatRecord("c1", MEMBERS)],
    answer: (request) => {
      if (request.method !== "POST") return byToken(request);
      const { content } = JSON.parse(request.body) as { content: string };
      return json(201, { message: messageRecord(randomUUID(), "c1", { senderId: "ann", content }) });
    },
  });
  const limits = { MAX_MESSAGE_SIZE: "1000000", MAX_PAYLOAD_SIZE: "2000000" };
  await using gateway = await startGateway({ HTTP_API_URL: api.url, ...limits });
  await using socket = await openGraphQLSocket(gateway.wsUrl, "ann");
  const operation = {
    query: 'mutation ($content: String!) { sendMessage(chatId: "c1", content: $content) { chatId } }',
    variables: { content: "x".repeat(1_000_000) },
  };
  const sent = { sendMessage: { chatId: "c1" } };
  expect(await socket.run(operation)).toEqual(sent);
  expect((await postOperation(gateway.url, operation, "ann")).data).toEqual(sent);
});

test("a subscription that was completed while it was being opened does not count", async () => {
  await using api = await startSmallApi({ chats: [chatRecord("c1", MEMBERS)], answer: byToken });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, MAX_SUBSCRIPTIONS: "1" });
  await using socket = await openGraphQLSocket(gateway.wsUrl, "ann");
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
  const payload = { query: "subscription { chatsChanged { isSnapshot } }" };
  const send = (message: object): void => socket.socket.send(JSON.stringify(message));
  send({ id: first, type: "subscribe", payload });
  send({ id: first, type: "complete" });
  const running = socket.start(payload, second);
  expect(JSON.parse(await running.next())).toEqual({ data: { chatsChanged: { isSnapshot: true } } });
  const [error] = await socket.start(payload, third).ended;
  expect(error?.extensions).toMatchObject({ code: "OPERATION_LIMIT" });
});
