/** What the development API tells of its writes, and to whom. */
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { backendEvent } from "../../src/chat/backend-events.ts";
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { EVENTS_SECRET } from "../support/events.ts";
import { Inbox } from "../support/inbox.ts";
import {
  hangUp,
  inTurn,
  raw,
  silence,
  startScriptedServer,
  type Answer,
  type RecordedRequest,
  type ScriptedServer,
} from "../support/scripted-server.ts";
import { call } from "./client.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop } = DEMO_CHATS;
const MESSAGES = `/chats/${shop}/messages`;

interface Told {
  readonly api: DevApi;
  readonly server: ScriptedServer;
  /** What was asked, as it is answered. */
  readonly asked: Inbox<RecordedRequest>;
}

/** A development API that tells a server that answers as it is told to. */
async function start(answer: Answer = raw(202, "")): Promise<Told & AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const asked = new Inbox<RecordedRequest>();
  const server = starting.use(
    await startScriptedServer((response, request) => {
      const last = server.requests.at(-1);
      if (last) asked.put(last);
      return answer(response, request);
    }),
  );
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  api.sendEventsTo({ url: `${server.url}/events`, secret: EVENTS_SECRET });
  const running = starting.move();
  return { api, server, asked, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

interface Event {
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const eventOf = ({ body }: RecordedRequest): Event => JSON.parse(body) as Event;

test("every write is told, once, in the order of the writes, signed and in the contract's form", async () => {
  await using told = await start();
  const { api, asked } = told;
  const { data } = api;
  const posted = await call(api, `POST ${MESSAGES}`, { body: { content: "one" } });
  const keyed = { body: { content: "two" }, idempotencyKey: "k1" };
  const first = await call(api, `POST ${MESSAGES}`, keyed);
  // Writes nothing, and neither does much of what follows.
  await call(api, `POST ${MESSAGES}`, keyed);
  const three = data.addMessage({ chatId: shop, senderId: alice.id, content: "three" });
  const read = await call(api, `PUT ${MESSAGES}/${three.id}/read`, { token: bob.token });
  await call(api, `PUT ${MESSAGES}/${three.id}/read`, { token: bob.token });
  await call(api, `PUT /chats/${shop}/read-all`, { token: bob.token });
  await call(api, `PUT /chats/${shop}/read-all`, { token: bob.token });
  const chat = data.createChat({ participants: [alice.id, bob.id], storeName: "Quay" });
  const added = data.addMember(chat.id, carol.id);
  data.addMember(chat.id, carol.id).lift();
  added.lift();
  added.lift();
  const removed = data.removeMember(chat.id, bob.id);
  removed.lift();
  data.deleteChat(chat.id);
  data.revokeToken(data.issueToken(alice.id));
  data.signOut(bob.id);
  expect(await call(api, "GET /chats", { token: bob.token })).toMatchObject({ status: 401 });

  const requests = await asked.take(12);
  const events = requests.map(eventOf);
  const members = (...users: readonly { id: string; name: string }[]) => ({
    chat: expect.objectContaining({
      id: chat.id,
      storeName: "Quay",
      participants: users.map(({ id }) => id),
      participantNames: users.map(({ name }) => name),
    }),
  });
  expect(events.map(({ type, data: said }) => [type, said])).toEqual([
    ["message.created", posted.body],
    ["message.created", first.body],
    ["message.created", { message: three }],
    [
      "message.read",
      { chatId: shop, messageId: three.id, userId: bob.id, readAt: (read.body as { readAt: string }).readAt },
    ],
    ["message.read", { chatId: shop, userId: bob.id, readAt: expect.any(String) }],
    ["chat.created", { chat }],
    ["chat.updated", members(alice, bob, carol)],
    ["chat.updated", members(alice, bob)],
    ["chat.updated", members(alice)],
    ["chat.updated", members(alice, bob)],
    ["chat.deleted", { chatId: chat.id }],
    ["user.signed_out", { userId: bob.id }],
  ]);
  for (const { method, url, headers, body } of requests) {
    expect(`${method} ${url}`).toBe("POST /events");
    expect(() => new Webhook(EVENTS_SECRET).verify(body, headers as Record<string, string>)).not.toThrow();
    expect(backendEvent.safeParse(JSON.parse(body)).success).toBe(true);
  }
  expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(12);
});

test("nobody is told who has not asked, nor of what was written before that", async () => {
  await using told = await start();
  const { api, server, asked } = told;
  await using quiet = await startDevApi({ file: ":memory:" });
  await call(quiet, `POST ${MESSAGES}`, { body: { content: "unheard" } });
  quiet.sendEventsTo({ url: server.url, secret: EVENTS_SECRET });
  await call(quiet, `POST ${MESSAGES}`, { body: { content: "heard" } });
  expect(eventOf(await asked.next()).data).toMatchObject({ message: { content: "heard" } });
  await call(api, `POST ${MESSAGES}`, { body: { content: "next" } });
  expect(eventOf(await asked.next()).data).toMatchObject({ message: { content: "next" } });
});

test("an event that does not arrive is sent again under the same webhook-id, before the next one", async () => {
  await using told = await start(inTurn(hangUp, raw(503, "{}"), raw(202, "")));
  const { api, asked } = told;
  api.data.addMessage({ chatId: shop, senderId: bob.id, content: "first" });
  api.data.addMessage({ chatId: shop, senderId: bob.id, content: "second" });
  const requests = await asked.take(4);
  expect(requests.map((request) => eventOf(request).data["message"])).toMatchObject(
    ["first", "first", "first", "second"].map((content) => ({ content })),
  );
  const ids = requests.map(({ headers }) => headers["webhook-id"]);
  expect(ids).toEqual([ids[0], ids[0], ids[0], expect.not.stringMatching(String(ids[0]))]);
  for (const { body, headers } of requests) {
    expect(() => new Webhook(EVENTS_SECRET).verify(body, headers as Record<string, string>)).not.toThrow();
  }
});

test("an event that is refused is not sent again", async () => {
  await using told = await start(inTurn(raw(400, "{}"), raw(202, "")));
  const { api, asked } = told;
  api.data.addMessage({ chatId: shop, senderId: bob.id, content: "first" });
  api.data.addMessage({ chatId: shop, senderId: bob.id, content: "second" });
  const requests = await asked.take(2);
  expect(requests.map((request) => eventOf(request).data["message"])).toMatchObject([
    { content: "first" },
    { content: "second" },
  ]);
});

test("a write waits for nobody who is told of it, and closing gives up what has not arrived", async () => {
  await using told = await start(silence);
  const { api, server, asked } = told;
  api.data.addMessage({ chatId: shop, senderId: bob.id, content: "first" });
  await asked.next();
  expect(await call(api, `POST ${MESSAGES}`, { body: { content: "second" } })).toMatchObject({ status: 201 });
  await api.close();
  await server.disconnected();
  expect(server.requests).toHaveLength(1);
});

test("closing gives up an event that waits for its next attempt", async () => {
  await using told = await start(raw(503, "{}"));
  const { api, server, asked } = told;
  api.data.addMessage({ chatId: shop, senderId: bob.id, content: "first" });
  api.data.addMessage({ chatId: shop, senderId: bob.id, content: "second" });
  await asked.take(3);
  await api.close();
  expect(server.requests).toHaveLength(3);
});

test("a write succeeds where nobody is there to be told", async () => {
  const server = await startScriptedServer(silence);
  await server[Symbol.asyncDispose]();
  await using api = await startDevApi({ file: ":memory:" });
  api.sendEventsTo({ url: server.url, secret: EVENTS_SECRET });
  expect(await call(api, `POST ${MESSAGES}`, { body: { content: "first" } })).toMatchObject({ status: 201 });
  expect(api.data.messages(shop).at(-1)?.content).toBe("first");
});

test("no user who does not exist is signed out", async () => {
  await using told = await start();
  const { api, asked } = told;
  expect(() => api.data.signOut("nobody")).toThrow("There is no user nobody.");
  api.data.signOut(alice.id);
  expect(eventOf(await asked.next())).toMatchObject({ type: "user.signed_out", data: { userId: alice.id } });
});
