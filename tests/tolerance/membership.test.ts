/** What a list says of a chat is not believed against the chat's own record; embedded copies do not overrule what is known. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { EVENTS_SECRET, tell } from "../support/events.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MarkChatReadDocument,
  MessageAddedDocument,
  ReadReceiptDocument,
} from "../support/generated/graphql.ts";
import { json } from "../support/scripted-server.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

interface Listed {
  readonly chats: readonly { readonly id: string; readonly messages: { readonly nodes: readonly unknown[] } }[];
}

const LIST: TypedDocumentNode<Listed> = parse(
  "{ chats { id lastMessage { id readAt } messages(last: 1) { nodes { id readAt } } unreadCount } }",
);

test("a chat whose record lacks the viewer is left out of the list", async () => {
  const chats = [chatRecord("c1"), chatRecord("c2", { participants: ["u2"], participantNames: ["Ben"] })];
  await using api = await startSmallApi({ chats });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  expect((await client.acknowledged)["chatIds"]).toEqual(["c1"]);
  expect((await client.run(ChatsDocument)).chats.map(({ id }) => id)).toEqual(["c1"]);
});

test("a listed chat that is refused hides no other, and is left out from then on", async () => {
  const lastMessage = messageRecord("m1", "c1", { readAt: null });
  await using api = await startSmallApi({
    chats: [chatRecord("c1", { lastMessage }), chatRecord("c2")],
    records: { c1: null },
    answer: ({ url }) => (url.startsWith("/chats/c1/messages") ? json(403, { error: "no" }) : undefined),
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  const { chats } = await client.run(LIST);
  expect(chats).toMatchObject([{ id: "c1", messages: { nodes: [] } }, { id: "c2" }]);
  expect(await client.run(LIST)).toMatchObject({ chats: [{ id: "c2" }] });
  api.data.records = {};
  expect(await client.run(LIST)).toMatchObject({ chats: [{ id: "c1" }, { id: "c2" }] });
});

test("whom a chat's record has refused, nobody's list takes in, until the record does", async () => {
  let isRefused = true;
  const people: Readonly<Record<string, string>> = { "Bearer ann": "u1", "Bearer ben": "u2" };
  await using api = await startSmallApi({
    chats: [chatRecord("c1"), chatRecord("c2")],
    answer({ url, headers }) {
      const userId = people[headers.authorization ?? ""];
      if (url === "/auth/profile") return json(200, { user: { userId, name: userId } });
      return url === "/chats/c1" && userId === "u2" && isRefused ? json(403, { error: "no" }) : undefined;
    },
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET });
  await using ann = connect(gateway.wsUrl, "ann");
  await using ben = connect(gateway.wsUrl, "ben");
  await using received = ben.subscribe(MessageAddedDocument);
  await ben.run(parse('{ chat(id: "c1") { id } }')).catch(() => undefined);
  await ann.run(ChatsDocument);
  await postMessage(gateway, "m1", "c1");
  await postMessage(gateway, "m2", "c2");
  expect((await received.next()).messageAdded.id).toBe("m2");
  isRefused = false;
  expect((await ben.run(ChatsDocument)).chats.map(({ id }) => id)).toEqual(["c1", "c2"]);
  await postMessage(gateway, "m3", "c1");
  expect((await received.next()).messageAdded.id).toBe("m3");
});

const READ_AT = "2026-01-02T00:00:00.000Z";
const LAST = parse("{ chats { lastMessage { id readAt } } }");

test("an embedded last message has the readAt that the history has", async () => {
  const messages = { messages: [messageRecord("m1", "c1", { readAt: READ_AT })] };
  const chats = [chatRecord("c1", { lastMessage: messageRecord("m1", "c1") })];
  await using api = await startSmallApi({ chats, messages: { c1: messages } });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  expect(await client.run(LIST)).toMatchObject({
    chats: [{ lastMessage: { readAt: READ_AT }, messages: { nodes: [{ readAt: READ_AT }] } }],
  });
  expect(await client.run(LAST)).toEqual({ chats: [{ lastMessage: { id: "m1", readAt: READ_AT } }] });
});

test("an embedded last message of another chat is not shown", async () => {
  const chats = [chatRecord("c1", { lastMessage: messageRecord("secret", "c2") })];
  const messages = { c1: { messages: [messageRecord("m1", "c1")] } };
  await using api = await startSmallApi({ chats, messages });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  expect(await client.run(LAST)).toEqual({ chats: [{ lastMessage: { id: "m1", readAt: null } }] });
});

test("a message of the history has the readAt of a receipt, as its embedded copy has", async () => {
  const lastMessage = messageRecord("m1", "c1");
  await using api = await startSmallApi({
    chats: [chatRecord("c1", { lastMessage })],
    messages: { c1: { messages: [lastMessage] } },
    answer: ({ method }) => (method === "PUT" ? json(200, {}) : undefined),
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  const { markChatRead } = await client.run(MarkChatReadDocument, { chatId: "c1" });
  const read = { id: "m1", readAt: markChatRead.readAt };
  expect(await client.run(LIST)).toMatchObject({ chats: [{ lastMessage: read, messages: { nodes: [read] } }] });
});

test("an embedded last message has the readAt of a receipt", async () => {
  const chats = [chatRecord("c1", { lastMessage: messageRecord("m1", "c1") })];
  await using api = await startSmallApi({
    chats,
    answer: ({ method }) => (method === "PUT" ? json(200, {}) : undefined),
  });
  await using gateway = await startGateway({ HTTP_API_URL: api.url });
  await using client = connect(gateway.wsUrl, "token");
  expect(await client.run(LAST)).toEqual({ chats: [{ lastMessage: { id: "m1", readAt: null } }] });
  const { markChatRead } = await client.run(MarkChatReadDocument, { chatId: "c1" });
  expect(await client.run(LAST)).toEqual({ chats: [{ lastMessage: { id: "m1", readAt: markChatRead.readAt } }] });
});

test("a message of a chat that nobody knows is delivered once the chat is learnt", async () => {
  await using api = await startSmallApi({ chats: [] });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, "token");
  await using received = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  for (const id of ["m1", "m2"]) await postMessage(gateway, id);
  await client.run(ChatsDocument);
  expect(received.waiting).toEqual([]);
  api.data.chats = [chatRecord("new")];
  await client.run(ChatsDocument);
  await postMessage(gateway, "m3");
  const contents = [await received.next(), await received.next(), await received.next()].map(
    ({ messageAdded }) => messageAdded.id,
  );
  expect(contents).toEqual(["m1", "m2", "m3"]);
});

test("a message that is told of before its chat is delivered with the chat", async () => {
  await using api = await startSmallApi({ chats: [] });
  await using gateway = await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET });
  await using client = connect(gateway.wsUrl, "token");
  await using received = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  await postMessage(gateway, "m1");
  await tell(gateway, { type: "chat.created", data: { chat: chatRecord("new") as never } });
  expect((await received.next()).messageAdded.id).toBe("m1");
});

test.each(["message.created", "message.read"] as const)(
  "a receipt of a chat that nobody knows is delivered once the chat is learnt, after %s",
  async (first) => {
    await using api = await startSmallApi({ chats: [] });
    await using gateway = await startGateway({ HTTP_API_URL: api.url, EVENTS_SECRET });
    await using client = connect(gateway.wsUrl, "token");
    await using received = client.subscribe(ReadReceiptDocument);
    await client.run(ChatsDocument);
    if (first === "message.created") await postMessage(gateway, "m1");
    for (const messageId of ["m1", "m2"]) {
      await tell(gateway, { type: "message.read", data: { chatId: "new", messageId, userId: "u2", readAt: READ_AT } });
    }
    api.data.chats = [chatRecord("new")];
    await client.run(ChatsDocument);
    await tell(gateway, { type: "message.read", data: { chatId: "new", userId: "u1", readAt: READ_AT } });
    const receipts = [await received.next(), await received.next(), await received.next()];
    expect(receipts.map(({ readReceipt }) => readReceipt.messageId)).toEqual(["m1", "m2", null]);
  },
);

async function postMessage(gateway: { readonly url: string }, id: string, chatId = "new"): Promise<void> {
  await tell(gateway, { type: "message.created", data: { message: messageRecord(id, chatId) as never } });
}
