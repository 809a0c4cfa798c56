import { expect, it } from "vitest";
import { CHAT, chatApiAt, errorOf, recordingLog, TOKEN } from "../support/rest-chat-api.ts";
import { json, raw, silence, startScriptedServer } from "../support/scripted-server.ts";

it("close() waits for the requests under way", async () => {
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using server = await startScriptedServer(async (response, request) => {
    asked.resolve();
    await answer.promise;
    return json(200, { chat: CHAT })(response, request);
  });
  await using api = chatApiAt(server.url);
  const chat = api.chat(TOKEN, "c1");
  await asked.promise;
  const order: string[] = [];
  const closed = api.close().then(() => order.push("closed"));
  const answered = chat.then(() => order.push("answered"));
  answer.resolve();
  await Promise.all([closed, answered]);
  expect(order).toEqual(["answered", "closed"]);
});

it("close() does not wait for longer than a request may take", async () => {
  await using server = await startScriptedServer(silence);
  await using api = chatApiAt(server.url, { timeoutMs: 100 });
  const error = errorOf(api.chat(TOKEN, "c1"));
  await api.close();
  expect((await error).code).toBe("UPSTREAM_TIMEOUT");
});

it("what is asked after close() fails without a request", async () => {
  await using server = await startScriptedServer(json(200, { chat: CHAT }));
  await using api = chatApiAt(server.url);
  await Promise.all([api.close(), api.close()]);
  expect((await errorOf(api.chat(TOKEN, "c1"))).code).toBe("UPSTREAM_UNAVAILABLE");
  expect((await errorOf(api.markChatRead(TOKEN, "c1"))).code).toBe("UPSTREAM_UNAVAILABLE");
  expect(server.requests).toHaveLength(0);
});

it("close() waits for the requests that wait for a connection, and takes no more", async () => {
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using server = await startScriptedServer(async (response, request) => {
    asked.resolve();
    await answer.promise;
    return json(200, { chat: CHAT })(response, request);
  });
  await using api = chatApiAt(server.url, { connections: 1 });
  const chats = Promise.all([api.chat(TOKEN, "c1"), api.chat(TOKEN, "c2"), api.chat(TOKEN, "c3")]);
  await asked.promise;
  const closed = api.close();
  const error = await errorOf(api.chat(TOKEN, "c4"));
  expect(error.cause).toMatchObject({ message: "GET /chats/:chatId: the client of the REST API is closed" });
  answer.resolve();
  expect(await chats).toHaveLength(3);
  await closed;
  expect(server.requests).toHaveLength(3);
});

it("close() ends the waits between attempts", async () => {
  const waiting = Promise.withResolvers<void>();
  const { log } = recordingLog(() => waiting.resolve());
  await using server = await startScriptedServer(raw(503, "", { "retry-after": "25" }));
  await using api = chatApiAt(server.url, { log });
  const error = errorOf(api.chat(TOKEN, "c1"));
  await waiting.promise;
  await api.close();
  expect((await error).code).toBe("UPSTREAM_UNAVAILABLE");
  expect(server.requests).toHaveLength(1);
});

it("close() leaves no connection open", async () => {
  await using server = await startScriptedServer(json(200, { chat: CHAT }));
  const api = chatApiAt(server.url);
  await api.chat(TOKEN, "c1");
  const gone = server.disconnected();
  await api.close();
  await expect(gone).resolves.toBeUndefined();
});

it("a base URL that is none is refused at the start", () => {
  expect(() => chatApiAt("nowhere")).toThrow(TypeError);
});
