/** What every ChatApi promises: the built-in client of the contract's own API, and each of the example adapters. */
import { describe, expect, test } from "vitest";
import documentStoreAdapter from "../../examples/adapters/document-store.ts";
import envelopeAdapter from "../../examples/adapters/envelope.ts";
import sqlAdapter from "../../examples/adapters/sql.ts";
import type { ChatApi, NextPage, WireMessage } from "../../src/upstream/chat-api.ts";
import { errorOf, everythingIn, restChatApi, adaptedChatApi } from "../support/rest-chat-api.ts";
import { hangUp, json, raw } from "../support/scripted-server.ts";
import { contract, documentStore, envelope, sql } from "./shapes.ts";
import { startWorld, World } from "./world.ts";

const APIS = [
  { name: "the built-in client", shape: contract, create: restChatApi },
  { name: "the document-store adapter", shape: documentStore, create: adaptedChatApi(documentStoreAdapter) },
  { name: "the SQL adapter", shape: sql, create: adaptedChatApi(sqlAdapter) },
  { name: "the envelope adapter", shape: envelope, create: adaptedChatApi(envelopeAdapter) },
] as const;

async function start({ shape, create }: Pick<(typeof APIS)[number], "shape" | "create">) {
  const stack = new AsyncDisposableStack();
  const world = new World();
  const server = stack.use(await startWorld(world, shape));
  const api = stack.adopt<ChatApi>(create(server.url, { attempts: 1 }), (created) => created.close());
  return { world, server, api, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function historyOf(api: ChatApi, token: string, chatId: string): Promise<WireMessage[]> {
  const messages: WireMessage[] = [];
  let next: NextPage | undefined;
  do {
    const page = await api.messages(token, chatId, 20, next);
    messages.push(...page.messages);
    ({ next } = page);
  } while (next);
  return messages;
}

describe.each(APIS)("$name", (given) => {
  test("says whose a token is", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    expect(await api.profile(world.ben.token)).toMatchObject({ userId: "2", name: world.ben.name });
    expect((await errorOf(api.profile("made-up"))).code).toBe("UNAUTHENTICATED");
    expect((await errorOf(api.profile(""))).code).toBe("UNAUTHENTICATED");
  });

  test("lists the user's chats with their members", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    expect(await api.chats(world.ann.token)).toMatchObject([
      {
        id: world.shared.id,
        storeName: "Shared",
        participants: ["1", "2"],
        participantNames: ["Ann Archer", "Ben Baker"],
      },
    ]);
    expect(await api.chats(world.ben.token)).toHaveLength(2);
  });

  test("counts what is unread, unless the API does not", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    const [chat] = await api.chats(world.ann.token);
    expect(chat?.unreadCount).toBe(api.capabilities.unreadCounts ? 30 : undefined);
  });

  test("has one chat, and refuses an outsider and what does not exist", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    expect(await api.chat(world.ann.token, world.shared.id)).toMatchObject({ id: world.shared.id });
    expect((await errorOf(api.chat(world.ann.token, world.foreign.id))).code).toBe("NOT_PARTICIPANT");
    const absent = api.capabilities.chat ? "NOT_FOUND" : "NOT_PARTICIPANT";
    expect((await errorOf(api.chat(world.ann.token, "999"))).code).toBe(absent);
  });

  test("has every message of a chat once", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    const history = await historyOf(api, world.ann.token, world.shared.id);
    const byId = new Map(history.map((message) => [message.id, message]));
    expect(byId.size).toBe(history.length);
    expect(byId.size).toBe(world.shared.messages.length);
    for (const { id, content, senderId, createdAt } of world.shared.messages) {
      const chatId = world.shared.id;
      const senderName = world.person(senderId).name;
      expect(byId.get(id)).toMatchObject({ chatId, content, senderId, senderName, createdAt: createdAt.toISOString() });
    }
    expect((await errorOf(api.messages(world.ann.token, world.foreign.id, 20))).code).toBe("NOT_PARTICIPANT");
  });

  test("answers what has been sent", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    const sent = await api.sendMessage(world.ann.token, world.shared.id, "  hello\n", "key-1");
    expect(sent).toMatchObject({ chatId: world.shared.id, senderId: "1", content: "hello" });
    expect(world.shared.messages.at(-1)).toMatchObject({ id: sent.id, content: "hello" });
    expect(scene.server.requests.find(({ method }) => method === "POST")?.headers["idempotency-key"]).toBe("key-1");
    const refused = await errorOf(api.sendMessage(world.ann.token, world.foreign.id, "hello", "key-2"));
    expect(refused.code).toBe("NOT_PARTICIPANT");
  });

  test.each([
    ["500", json(500, { error: "a secret" })],
    ["a page", raw(200, "<html>a secret</html>")],
    ["null", json(200, null)],
    ["another shape", json(200, { hello: "a secret" })],
    ["no answer", hangUp],
  ])("is UPSTREAM_UNAVAILABLE where the API answers %s", async (_what, answer) => {
    await using scene = await start(given);
    const { world, api, server } = scene;
    const { token } = world.ann;
    server.faults.push({ path: /./, answer });
    const calls = [
      () => api.profile(token),
      () => api.chats(token),
      () => api.chat(token, world.shared.id),
      () => api.messages(token, world.shared.id, 20),
      () => api.sendMessage(token, world.shared.id, "hello", "key"),
    ];
    for (const call of calls) {
      const error = await errorOf(call());
      expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
      expect(everythingIn(error)).not.toContain("a secret");
    }
  });
});

describe.each(APIS.filter(({ shape }) => shape === sql))("$name, whose API keeps no receipts", (given) => {
  test("refuses to mark as read", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    expect(api.capabilities.receipts).toBe(false);
    const calls = [
      api.markRead(world.ann.token, world.shared.id, "1"),
      api.markChatRead(world.ann.token, world.shared.id),
    ];
    for (const call of calls) expect((await errorOf(call)).code).toBe("NOT_SUPPORTED");
  });
});

describe.each(APIS.filter(({ shape }) => shape !== sql))("$name, whose API keeps receipts", (given) => {
  test("marks as read", async () => {
    await using scene = await start(given);
    const { world, api } = scene;
    const { token } = world.ann;
    const { id: chatId, messages } = world.shared;
    const foreignMessage = messages.find(({ senderId }) => senderId === "2")?.id ?? "";
    await api.markRead(token, chatId, foreignMessage);
    const history = await historyOf(api, token, chatId);
    expect(history.filter(({ readAt }) => readAt).map(({ id }) => id)).toEqual([foreignMessage]);
    const own = messages.find(({ senderId }) => senderId === "1")?.id ?? "";
    expect(await errorOf(api.markRead(token, chatId, own))).toMatchObject({
      code: "BAD_USER_INPUT",
      argument: "messageId",
    });
    await api.markChatRead(token, chatId);
    expect(world.unread(world.shared, "1")).toBe(0);
  });
});
