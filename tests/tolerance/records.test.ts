/** One record that cannot be read hides no other; what is left out is named in the log. */
import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatsDocument } from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";
import { raw } from "../support/scripted-server.ts";
import { chatRecord, messageRecord, startSmallApi, type SmallApi } from "../support/small-api.ts";

const gatewayOf = (api: SmallApi): Promise<TestGateway> => startGateway({ HTTP_API_URL: api.url });

function leftOut(gateway: TestGateway): unknown[] {
  return gateway.logged
    .filter(({ msg }) => msg === "a record of the REST API was left out")
    .map(({ call, id, fault }) => ({ call, id, field: String(fault).split(":", 1)[0] }));
}

const MESSAGES = parse(`query ($id: ID!) { chat(id: $id) { messages { nodes { id sender { name } readAt } } } }`);

test("a chat without participants is left out, and logged once", async () => {
  await using api = await startSmallApi({ chats: [{ id: "half", lastMessage: "x", updatedAt: "2026-01-01" }] });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  await client.acknowledged;
  api.data.chats = [...(api.data.chats ?? []), chatRecord("c1")];
  expect((await client.run(ChatsDocument)).chats.map(({ id }) => id)).toEqual(["c1"]);
  await client.run(ChatsDocument);
  expect(leftOut(gateway)).toEqual([{ call: "GET /chats", id: "half", field: "participants" }]);
});

test("a message that cannot be read is left out of its page", async () => {
  const messages = [messageRecord("m1", "c1"), messageRecord("m2", "c1", { content: null }), messageRecord("m3", "c2")];
  await using api = await startSmallApi({ chats: [chatRecord("c1")], messages: { c1: { messages } } });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  expect(await client.run(MESSAGES, { id: "c1" })).toMatchObject({ chat: { messages: { nodes: [{ id: "m1" }] } } });
  expect(leftOut(gateway)).toEqual([
    { call: "GET /chats/:chatId/messages", id: "m2", field: "content" },
    { call: "GET /chats/:chatId/messages", id: "m3", field: "chatId" },
  ]);
});

describe("a display name that is missing", () => {
  test.each([
    ["null", ["Ann", null]],
    ["absent", ["Ann"]],
    ["a number", ["Ann", 7]],
    ["no list", "Ann"],
  ])("of a participant is the id: %s", async (_what, participantNames) => {
    await using api = await startSmallApi({ chats: [chatRecord("c1", { participantNames })] });
    await using gateway = await gatewayOf(api);
    await using client = connect(gateway.wsUrl, "token");
    const [chat] = (await client.run(ChatsDocument)).chats;
    expect(chat?.participants.at(-1)).toEqual({ id: "u2", name: "u2" });
  });

  test("of a sender is the id", async () => {
    const messages = [messageRecord("m1", "c1", { senderName: null })];
    await using api = await startSmallApi({ chats: [chatRecord("c1")], messages: { c1: { messages } } });
    await using gateway = await gatewayOf(api);
    await using client = connect(gateway.wsUrl, "token");
    expect(await client.run(MESSAGES, { id: "c1" })).toMatchObject({
      chat: { messages: { nodes: [{ sender: { name: "u2" } }] } },
    });
  });

  test("of the viewer is the id", async () => {
    await using api = await startSmallApi({ profile: { userId: "u1" } });
    await using gateway = await gatewayOf(api);
    await using client = connect(gateway.wsUrl, "token");
    expect(await client.run(parse("{ me { id name email } }"))).toEqual({ me: { id: "u1", name: "u1", email: "" } });
  });
});

test("a participant that is null hides neither the chat nor the others, whose names stay theirs", async () => {
  const participants = ["u1", null, "u3"];
  const participantNames = ["Ann", "Somebody", "Cat"];
  await using api = await startSmallApi({ chats: [chatRecord("c1", { participants, participantNames })] });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  const [chat] = (await client.run(ChatsDocument)).chats;
  expect(chat?.participants).toEqual([
    { id: "u1", name: "Ann" },
    { id: "u3", name: "Cat" },
  ]);
});

test("a chat that is listed twice is shown once, as it is listed last", async () => {
  const chats = [chatRecord("c1", { unreadCount: 1 }), chatRecord("c2"), chatRecord("c1", { unreadCount: 2 })];
  await using api = await startSmallApi({ chats });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  const { chats: shown } = await client.run(ChatsDocument);
  expect(shown.map(({ id, unreadCount }) => [id, unreadCount])).toEqual([
    ["c1", 2],
    ["c2", 0],
  ]);
});

test("an unread count that GraphQL has no number for is counted in the history", async () => {
  const chats = [chatRecord("c1", { unreadCount: 2 ** 31 }), chatRecord("c2", { unreadCount: 2 ** 31 - 1 })];
  await using api = await startSmallApi({ chats, messages: { c1: { messages: [messageRecord("m1", "c1")] } } });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  const { chats: shown } = await client.run(ChatsDocument);
  expect(shown.map(({ unreadCount }) => unreadCount)).toEqual([1, 2 ** 31 - 1]);
});

test("a message without readAt was read when the first of the others did", async () => {
  const readBy = [
    { userId: "u2", readAt: "2026-01-01T01:00:00Z" },
    { userId: "u3", readAt: "2026-01-01T03:00:00Z" },
    { userId: "u1", readAt: "2026-01-01T02:00:00Z" },
  ];
  const messages = [messageRecord("m1", "c1", { readBy }), messageRecord("m2", "c1", { readBy: "everybody" })];
  await using api = await startSmallApi({ chats: [chatRecord("c1")], messages: { c1: { messages } } });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  expect(await client.run(MESSAGES, { id: "c1" })).toMatchObject({
    chat: { messages: { nodes: [{ readAt: "2026-01-01T02:00:00.000Z" }, { id: "m2", readAt: null }] } },
  });
});

test("a message whose readAt is the year 1 has not been read", async () => {
  const never = "0001-01-01T00:00:00Z";
  const readBy = [{ userId: "u1", readAt: never }];
  const messages = [messageRecord("m1", "c1", { readAt: never }), messageRecord("m2", "c1", { readBy })];
  const chats = [chatRecord("c1", { unreadCount: undefined })];
  await using api = await startSmallApi({ chats, messages: { c1: { messages } } });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  const query = parse(`{ chat(id: "c1") { unreadCount messages { nodes { readAt readBy { readAt } } } } }`);
  const unread = { readAt: null, readBy: [] };
  expect(await client.run(query)).toEqual({ chat: { unreadCount: 2, messages: { nodes: [unread, unread] } } });
});

test("a reader that cannot be read hides no other", async () => {
  const readBy = [null, { userId: "u1" }, { userId: "u2", readAt: "2026-01-01T01:00:00Z" }, { userId: 3, readAt: "x" }];
  const messages = [messageRecord("m1", "c1", { senderId: "u1", readBy })];
  await using api = await startSmallApi({ chats: [chatRecord("c1")], messages: { c1: { messages } } });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  const query = parse(`{ chat(id: "c1") { messages { nodes { readAt readBy { reader { id } readAt } } } } }`);
  const readAt = "2026-01-01T01:00:00.000Z";
  expect(await client.run(query)).toEqual({
    chat: { messages: { nodes: [{ readAt, readBy: [{ reader: { id: "u2" }, readAt }] }] } },
  });
});

test.each([
  ["nextToken", { nextToken: "" }],
  ["lastEvaluatedKey", { lastEvaluatedKey: {} }],
])("an empty %s is the end of a history", async (_dialect, end) => {
  const page = { messages: [messageRecord("m1", "c1")], ...end };
  await using api = await startSmallApi({ chats: [chatRecord("c1")], messages: { c1: page } });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  expect(await client.run(MESSAGES, { id: "c1" })).toMatchObject({ chat: { messages: { nodes: [{ id: "m1" }] } } });
  expect(api.count("/chats/c1/messages")).toBe(1);
});

test("an unread count that is missing is counted in the history", async () => {
  const read = { readAt: "2026-01-02T00:00:00.000Z" };
  const messages = [
    messageRecord("m1", "c1", read),
    messageRecord("m2", "c1"),
    messageRecord("m3", "c1"),
    messageRecord("m4", "c1", { senderId: "u1" }),
  ];
  const chats = [chatRecord("c1", { unreadCount: undefined }), chatRecord("c2", { unreadCount: 5 })];
  await using api = await startSmallApi({ chats, messages: { c1: { messages } } });
  await using gateway = await gatewayOf(api);
  await using client = connect(gateway.wsUrl, "token");
  const { chats: shown } = await client.run(ChatsDocument);
  expect(shown.map(({ unreadCount }) => unreadCount)).toEqual([2, 5]);
});

describe("a profile that answers", () => {
  test.each([400, 401, 402, 403, 404, 410, 422, 423, 431, 451])("%i closes with 4403", async (status) => {
    await using api = await startSmallApi({
      answer: ({ url }) => (url === "/auth/profile" ? raw(status, "") : undefined),
    });
    await using gateway = await gatewayOf(api);
    await using client = connect(gateway.wsUrl, "token");
    expect((await client.closed).code).toBe(4403);
    expect(codesOf((await postOperation(gateway.url, { query: "{ me { id } }" }, "token")).errors)).toEqual([
      "UNAUTHENTICATED",
    ]);
  });

  test.each([302, 405, 407, 408, 425, 429, 500])("%i closes with 1013", async (status) => {
    await using api = await startSmallApi({
      answer: ({ url }) => (url === "/auth/profile" ? raw(status, "") : undefined),
    });
    await using gateway = await gatewayOf(api);
    await using client = connect(gateway.wsUrl, "token");
    expect((await client.closed).code).toBe(1013);
  });
});
