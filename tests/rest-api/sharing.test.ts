import { describe, expect, it } from "vitest";
import { CHAT, chatApiAt, errorOf, MESSAGE, TOKEN } from "../support/rest-chat-api.ts";
import { inTurn, json, raw, startScriptedServer } from "../support/scripted-server.ts";

describe("equal reads that are under way", () => {
  it("are one request", async () => {
    await using server = await startScriptedServer(json(200, { chats: [CHAT] }));
    await using api = chatApiAt(server.url);
    const answers = await Promise.all([api.chats(TOKEN), api.chats(TOKEN), api.chats(TOKEN)]);
    expect(answers).toMatchObject([[CHAT], [CHAT], [CHAT]]);
    expect(server.requests).toHaveLength(1);
  });

  it("are several requests where the token, the path or the query differ", async () => {
    await using server = await startScriptedServer(json(200, { chat: CHAT, messages: [] }));
    await using api = chatApiAt(server.url);
    await Promise.all([
      api.chat(TOKEN, "c1"),
      api.chat("token-of-ben", "c1"),
      api.chat(TOKEN, "c2"),
      api.messages(TOKEN, "c1", 10),
      api.messages(TOKEN, "c1", 20),
    ]);
    expect(server.requests).toHaveLength(5);
  });

  it("fail together, and the next one asks again", async () => {
    await using server = await startScriptedServer(inTurn(raw(404, ""), json(200, { chat: CHAT })));
    await using api = chatApiAt(server.url);
    const errors = await Promise.all([errorOf(api.chat(TOKEN, "c1")), errorOf(api.chat(TOKEN, "c1"))]);
    expect(errors.map(({ code }) => code)).toEqual(["NOT_FOUND", "NOT_FOUND"]);
    expect(server.requests).toHaveLength(1);
    expect(await api.chat(TOKEN, "c1")).toMatchObject({ id: "c1" });
    expect(server.requests).toHaveLength(2);
  });

  it("fail together where no answer came, and the next one asks again", async () => {
    const cut = inTurn((response) => void response.socket?.destroy(), json(200, { chat: CHAT }));
    await using server = await startScriptedServer(cut);
    await using api = chatApiAt(server.url, { attempts: 1 });
    const errors = await Promise.all([errorOf(api.chat(TOKEN, "c1")), errorOf(api.chat(TOKEN, "c1"))]);
    expect(errors.map(({ code }) => code)).toEqual(["UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE"]);
    expect(await api.chat(TOKEN, "c1")).toMatchObject({ id: "c1" });
  });

  it("are asked again once they are answered", async () => {
    await using server = await startScriptedServer(json(200, { chats: [CHAT] }));
    await using api = chatApiAt(server.url);
    await api.chats(TOKEN);
    await api.chats(TOKEN);
    expect(server.requests).toHaveLength(2);
  });

  it("are not shared with one that began before the same user's write", async () => {
    const [asked, before] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const stale = json(200, { chat: { ...CHAT, unreadCount: 5 } });
    await using server = await startScriptedServer(async (response, request) => {
      if (request.method === "PUT") return json(200, {})(response, request);
      if (server.requests.length > 1) return json(200, { chat: { ...CHAT, unreadCount: 0 } })(response, request);
      asked.resolve();
      await before.promise;
      return stale(response, request);
    });
    await using api = chatApiAt(server.url);
    const first = api.chat(TOKEN, "c1");
    await asked.promise;
    await api.markChatRead(TOKEN, "c1");
    expect(await api.chat(TOKEN, "c1")).toMatchObject({ unreadCount: 0 });
    before.resolve();
    expect(await first).toMatchObject({ unreadCount: 5 });
  });
});

it("writes are never shared", async () => {
  await using server = await startScriptedServer(json(200, { message: MESSAGE }));
  await using api = chatApiAt(server.url);
  const send = () => api.sendMessage(TOKEN, "c1", "hello", "key-1");
  await Promise.all([send(), send(), api.markChatRead(TOKEN, "c1"), api.markChatRead(TOKEN, "c1")]);
  expect(server.requests).toHaveLength(4);
});
