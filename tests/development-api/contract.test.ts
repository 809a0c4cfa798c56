import { describe, expect, test } from "vitest";
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import type { StoredChat } from "../../src/dev/data.ts";
import { wireChatAnswer, wireChats, wireMessageAnswer, wirePage, wireProfile } from "../../src/upstream/wire.ts";
import { call } from "./client.ts";

const start = (): Promise<DevApi> => startDevApi({ file: ":memory:" });
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Alice and Bob's new chat, without messages. */
function newChat(api: DevApi): StoredChat {
  const [alice, bob] = people(api);
  return api.data.createChat({ participants: [alice.id, bob.id] });
}

function people({ users }: DevApi) {
  const [alice, bob, carol] = users;
  if (alice === undefined || bob === undefined || carol === undefined) throw new Error("Three demo users are needed.");
  return [alice, bob, carol] as const;
}

describe("GET /auth/profile", () => {
  test("says whose token it is", async () => {
    await using api = await start();
    const answers = await Promise.all(api.users.map(({ token }) => call(api, "GET /auth/profile", { token })));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(
      api.users.map(({ id, name, email }) => [200, { user: { userId: id, name, email, role: "user" } }]),
    );
    expect(wireProfile.safeParse(answers[0]?.body).success).toBe(true);
  });
});

test.each([
  "GET /auth/profile",
  "GET /chats",
  "GET /chats/x",
  "GET /chats/x/messages",
  "POST /chats/x/messages",
  "PUT /chats/x/messages/y/read",
  "PUT /chats/x/read-all",
])("%s refuses a request without a valid token with 401", async (request) => {
  await using api = await start();
  const [alice] = people(api);
  const expired = api.data.issueToken(alice.id, { expiresAt: new Date(Date.now() - 1) });
  for (const token of [null, "nobody's", "", expired]) {
    expect(await call(api, request, { token })).toMatchObject({ status: 401, body: { error: expect.any(String) } });
  }
});

test("A token with an expiry is a JWT that names it, and is accepted until then", async () => {
  await using api = await start();
  const [, bob] = people(api);
  const expiresAt = new Date(Date.now() + 3_600_000);
  const token = api.data.issueToken(bob.id, { expiresAt });
  const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  expect(claims).toMatchObject({ sub: bob.id, exp: expiresAt.getTime() / 1000 });
  expect(await call(api, "GET /auth/profile", { token })).toMatchObject({ body: { user: { userId: bob.id } } });
});

describe("GET /chats", () => {
  test("lists the viewer's chats alone, each with participants and their names in the same order", async () => {
    await using api = await start();
    const [alice, bob, carol] = people(api);
    const { body } = await call(api, "GET /chats", { token: carol.token });
    const { chats } = wireChats.parse(body);
    expect(chats.map(({ storeName, participantNames }) => [storeName, participantNames])).toEqual([
      ["Harbour Fair", [alice.name, bob.name, carol.name]],
      [undefined, [bob.name, carol.name]],
    ]);
    expect(chats[0]?.participants).toEqual([alice.id, bob.id, carol.id]);
  });

  test("counts what each user has not read, and shows the newest message", async () => {
    await using api = await start();
    const [alice, bob] = people(api);
    const chat = newChat(api);
    const own = api.data.addMessage({ chatId: chat.id, senderId: alice.id, content: "one" });
    const newest = api.data.addMessage({ chatId: chat.id, senderId: alice.id, content: "two" });
    const listed = async (token: string) => {
      const { chats } = wireChats.parse((await call(api, "GET /chats", { token })).body);
      return chats.find(({ id }) => id === chat.id);
    };
    expect(await listed(alice.token)).toMatchObject({ unreadCount: 0, lastMessage: newest });
    expect(await listed(bob.token)).toMatchObject({ unreadCount: 2, lastMessage: newest });
    await call(api, `PUT /chats/${chat.id}/messages/${own.id}/read`, { token: bob.token });
    expect(await listed(bob.token)).toMatchObject({
      unreadCount: 1,
      // Without the digits beyond milliseconds.
      updatedAt: `${newest.createdAt.slice(0, 23)}Z`,
    });
  });
});

describe("GET /chats/:chatId", () => {
  test("answers with the chat, its title where it has one", async () => {
    await using api = await start();
    const [alice, bob] = people(api);
    const titled = api.data.createChat({ participants: [bob.id, alice.id], storeName: "Tools & Timber" });
    const answer = await call(api, `GET /chats/${titled.id}`);
    expect(answer).toMatchObject({ status: 200, body: { chat: { ...titled, storeName: "Tools & Timber" } } });
    expect(wireChatAnswer.parse(answer.body).chat.participantNames).toEqual([bob.name, alice.name]);
    const { body } = await call(api, `GET /chats/${newChat(api).id}`);
    expect(wireChatAnswer.parse(body).chat).not.toHaveProperty("storeName");
  });

  test("finds an id that has to be escaped", async () => {
    await using api = await start();
    const [alice] = people(api);
    api.data.createChat({ id: "a/b ?#ü", participants: [alice.id] });
    const { body } = await call(api, `GET /chats/${encodeURIComponent("a/b ?#ü")}`);
    expect(body).toMatchObject({ chat: { id: "a/b ?#ü" } });
    expect(await call(api, "GET /chats/%ff")).toMatchObject({ status: 400 });
  });
});

describe("GET /chats/:chatId/messages", () => {
  test("answers with the messages, readAt only on those that somebody else has read", async () => {
    await using api = await start();
    const [alice, bob] = people(api);
    const { id: chatId } = newChat(api);
    const read = api.data.addMessage({ chatId, senderId: alice.id, content: "one", createdAt: "2026-02-01T10:00:00Z" });
    const unread = api.data.addMessage({ chatId, senderId: bob.id, content: "2", createdAt: "2026-02-01T10:00:01Z" });
    await call(api, `PUT /chats/${chatId}/messages/${read.id}/read`, { token: bob.token });
    const { status, body } = await call(api, `GET /chats/${chatId}/messages`);
    expect([status, body]).toEqual([200, { messages: [{ ...read, readAt: expect.stringMatching(INSTANT) }, unread] }]);
    expect(unread).toEqual({
      id: expect.stringMatching(UUID),
      chatId,
      senderId: bob.id,
      senderName: bob.name,
      content: "2",
      createdAt: "2026-02-01T10:00:01.000Z",
    });
    expect(wirePage.safeParse(body).success).toBe(true);
  });
});

describe("POST /chats/:chatId/messages", () => {
  test("stores the trimmed content and answers 201 with the message", async () => {
    await using api = await start();
    const [alice] = people(api);
    const { id } = newChat(api);
    const { status, body } = await call(api, `POST /chats/${id}/messages`, { body: { content: "  Hello, Bob\n" } });
    const { message } = wireMessageAnswer.parse(body);
    expect(status).toBe(201);
    expect(message).toMatchObject({ chatId: id, senderId: alice.id, senderName: alice.name, content: "Hello, Bob" });
    expect(api.data.messages(id)).toEqual([message]);
  });

  test.each([{ content: "" }, { content: " \n\t" }, { content: 7 }, {}, [], "null", "", "{", "Hello"])(
    "answers 400 to %j and stores nothing",
    async (body) => {
      await using api = await start();
      const { id } = newChat(api);
      const answer = await call(api, `POST /chats/${id}/messages`, { body });
      expect(answer).toMatchObject({ status: 400, body: { error: expect.any(String) } });
      expect(api.data.messages(id)).toEqual([]);
    },
  );

  test("stores one message for one user and Idempotency-Key, and answers 201 each time", async () => {
    await using api = await start();
    const [, bob] = people(api);
    const { id } = newChat(api);
    const post = (token: string, idempotencyKey?: string) =>
      call(api, `POST /chats/${id}/messages`, {
        token,
        body: { content: "Hello" },
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      });
    const first = await post("alice-token", "k1");
    const repeated = await post("alice-token", "k1");
    expect([repeated.status, repeated.body]).toEqual([201, first.body]);
    expect(api.data.messages(id)).toHaveLength(1);
    await post("alice-token", "k2");
    await post(bob.token, "k1");
    await post("alice-token");
    await post("alice-token");
    expect(api.data.messages(id)).toHaveLength(5);
  });
});

describe("PUT /chats/:chatId/messages/:messageId/read", () => {
  test("answers with the instant at which this user has read it first", async () => {
    await using api = await start();
    const [alice, bob, carol] = people(api);
    const { id: chatId } = api.data.createChat({ participants: [alice.id, bob.id, carol.id] });
    const { id } = api.data.addMessage({ chatId, senderId: alice.id, content: "one" });
    const request = `PUT /chats/${chatId}/messages/${id}/read`;
    const first = await call(api, request, { token: bob.token });
    expect([first.status, first.body]).toEqual([
      200,
      { message: expect.any(String), readAt: expect.stringMatching(INSTANT) },
    ]);
    await call(api, request, { token: carol.token });
    expect((await call(api, request, { token: bob.token })).body).toEqual(first.body);
    expect({ ...api.data.messages(chatId)[0] }).toMatchObject({ readAt: (first.body as { readAt: string }).readAt });
  });

  test("answers 400 to the sender", async () => {
    await using api = await start();
    const [alice] = people(api);
    const { id: chatId } = newChat(api);
    const { id } = api.data.addMessage({ chatId, senderId: alice.id, content: "one" });
    const answer = await call(api, `PUT /chats/${chatId}/messages/${id}/read`);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.any(String) } });
    expect(api.data.messages(chatId)[0]).not.toHaveProperty("readAt");
  });

  test("answers 404 where the chat has no such message", async () => {
    await using api = await start();
    const [, bob] = people(api);
    const elsewhere = api.data.addMessage({ chatId: newChat(api).id, senderId: bob.id, content: "one" });
    const { id } = newChat(api);
    expect(await call(api, `PUT /chats/${id}/messages/nothing/read`)).toMatchObject({ status: 404 });
    expect(await call(api, `PUT /chats/${id}/messages/${elsewhere.id}/read`)).toMatchObject({ status: 404 });
  });
});

describe("PUT /chats/:chatId/read-all", () => {
  test("marks everything that others have written in this chat as read", async () => {
    await using api = await start();
    const [alice, bob] = people(api);
    const { id: chatId } = newChat(api);
    for (const senderId of [bob.id, alice.id, bob.id]) api.data.addMessage({ chatId, senderId, content: "one" });
    const { status, body } = await call(api, `PUT /chats/${chatId}/read-all`);
    expect([status, body]).toEqual([200, { message: expect.any(String) }]);
    expect(api.data.messages(chatId).map(({ readAt }) => readAt !== undefined)).toEqual([true, false, true]);
    const { chats } = wireChats.parse((await call(api, "GET /chats")).body);
    expect(chats.filter(({ unreadCount }) => unreadCount === 0).map(({ id }) => id)).toEqual([chatId]);
  });
});

const INSIDE_A_CHAT = [
  "GET /chats/:chatId",
  "GET /chats/:chatId/messages",
  "POST /chats/:chatId/messages",
  "PUT /chats/:chatId/messages/x/read",
];

test.each([...INSIDE_A_CHAT, "PUT /chats/:chatId/read-all"])(
  "%s answers 403 to who is not a participant",
  async (request) => {
    await using api = await start();
    const [, , carol] = people(api);
    const { id } = newChat(api);
    const answer = await call(api, request.replace(":chatId", id), {
      token: carol.token,
      ...(request.startsWith("POST") && { body: { content: "Let me in" } }),
    });
    expect(answer).toMatchObject({ status: 403, body: { error: expect.any(String) } });
    expect(api.data.messages(id)).toEqual([]);
  },
);

test.each(INSIDE_A_CHAT)("%s answers 404 where there is no such chat", async (request) => {
  await using api = await start();
  const answer = await call(api, request.replace(":chatId", "nowhere"));
  expect(answer).toMatchObject({ status: 404, body: { error: expect.any(String) } });
});

test("PUT /chats/:chatId/read-all, which knows no 404, answers 403 where there is no such chat", async () => {
  await using api = await start();
  expect(await call(api, "PUT /chats/nowhere/read-all")).toMatchObject({ status: 403 });
});

test.each(["GET /", "GET /chat", "GET /chats/", "DELETE /chats", "POST /auth/profile", "GET /chats/x/messages/y"])(
  "%s is unknown: 404 with a JSON error",
  async (request) => {
    await using api = await start();
    expect(await call(api, request)).toMatchObject({ status: 404, body: { error: expect.any(String) } });
  },
);
