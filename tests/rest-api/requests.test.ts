import { describe, expect, it } from "vitest";
import { CHAT, chatApiAt, errorOf, MESSAGE, PROFILE, TOKEN, type DisposableChatApi } from "../support/rest-chat-api.ts";
import { json, startScriptedServer } from "../support/scripted-server.ts";

const everything = json(200, { user: PROFILE, chats: [], chat: CHAT, messages: [], message: MESSAGE });
const readReceipt = json(200, { message: "done", readAt: "2026-01-01T00:00:00Z" });

async function requestOf(call: (api: DisposableChatApi) => Promise<unknown>, answer = everything, prefix = "") {
  await using server = await startScriptedServer(answer);
  await using api = chatApiAt(server.url + prefix);
  await call(api);
  expect(server.requests).toHaveLength(1);
  const [request] = server.requests;
  if (request === undefined) throw new Error("unreachable");
  return request;
}

describe("requests", () => {
  it.each<[string, (api: DisposableChatApi) => Promise<unknown>]>([
    ["GET /auth/profile", (api) => api.profile(TOKEN)],
    ["GET /chats", (api) => api.chats(TOKEN)],
    ["GET /chats/c1", (api) => api.chat(TOKEN, "c1")],
    ["GET /chats/c1/messages?limit=20", (api) => api.messages(TOKEN, "c1", 20)],
    ["POST /chats/c1/messages", (api) => api.sendMessage(TOKEN, "c1", "hello", "key-1")],
    ["PUT /chats/c1/read-all", (api) => api.markChatRead(TOKEN, "c1")],
  ])("%s carries the user's token and asks for JSON", async (line, call) => {
    const { method, url, headers } = await requestOf(call);
    expect(`${method} ${url}`).toBe(line);
    expect(headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, accept: "application/json" });
  });

  it("marks one message as read without a body", async () => {
    const request = await requestOf((api) => api.markRead(TOKEN, "c1", "m1"), readReceipt);
    expect(request).toMatchObject({ method: "PUT", url: "/chats/c1/messages/m1/read", body: "" });
    expect(request.headers["content-type"]).toBeUndefined();
  });

  it("sends a message as JSON with its idempotency key", async () => {
    const content = 'Grüße\u0000 \u{1f600} "quoted"';
    const request = await requestOf((api) => api.sendMessage(TOKEN, "c1", content, "key-1"));
    expect(JSON.parse(request.body)).toEqual({ content });
    expect(request.headers).toMatchObject({ "content-type": "application/json", "idempotency-key": "key-1" });
  });

  it("carries any idempotency key a client makes up, escaped where a header cannot hold it", async () => {
    const request = await requestOf((api) => api.sendMessage(TOKEN, "c1", "hello", "ключ\r\nx-admin: 1"));
    expect(request.headers["idempotency-key"]).toBe(encodeURIComponent("ключ\r\nx-admin: 1"));
    expect(request.headers["x-admin"]).toBeUndefined();
  });

  it.each(["/api/v1", "/api/v1/"])("go below the base URL's path %s", async (prefix) => {
    const request = await requestOf((api) => api.chat(TOKEN, "c1"), everything, prefix);
    expect(request.url).toBe("/api/v1/chats/c1");
  });
});

describe("ids", () => {
  it.each([
    ["../admin", "..%2Fadmin"],
    ["a/b?c#d", "a%2Fb%3Fc%23d"],
    ["%2e%2e", "%252e%252e"],
    ["чат 😀", "%D1%87%D0%B0%D1%82%20%F0%9F%98%80"],
    ["a\r\nb", "a%0D%0Ab"],
    [":messageId", "%3AmessageId"],
    ["$&", "%24%26"],
    ["..a", "..a"],
  ])("%j travels as one segment of the path", async (id, escaped) => {
    expect((await requestOf((api) => api.chat(TOKEN, id))).url).toBe(`/chats/${escaped}`);
    const { url } = await requestOf((api) => api.markRead(TOKEN, id, id), readReceipt);
    expect(url).toBe(`/chats/${escaped}/messages/${escaped}/read`);
  });

  it.each(["", ".", "..", "...", "\ud800", "x".repeat(513)])("%j is NOT_FOUND without asking", async (id) => {
    await using server = await startScriptedServer(everything);
    await using api = chatApiAt(server.url);
    const calls = [
      api.chat(TOKEN, id),
      api.messages(TOKEN, id, 20),
      api.sendMessage(TOKEN, id, "hello", "key-1"),
      api.markRead(TOKEN, id, "m1"),
      api.markRead(TOKEN, "c1", id),
      api.markChatRead(TOKEN, id),
    ];
    for (const error of await Promise.all(calls.map(errorOf))) expect(error.code).toBe("NOT_FOUND");
    expect(server.requests).toHaveLength(0);
  });
});

it.each(["", "a b", "a\r\nx-admin: 1", "töken", "x".repeat(8001)])(
  "the token %j is UNAUTHENTICATED without asking",
  async (token) => {
    await using server = await startScriptedServer(everything);
    await using api = chatApiAt(server.url);
    expect((await errorOf(api.profile(token))).code).toBe("UNAUTHENTICATED");
    expect(server.requests).toHaveLength(0);
  },
);

describe("pages", () => {
  it.each([
    ["nextToken", { nextToken: "a/b+c=&d" }, "nextToken=a%2Fb%2Bc%3D%26d"],
    ["lastMessageId", { lastEvaluatedKey: { chatId: "c1", id: "m/1" } }, "lastMessageId=m%2F1"],
  ])("are continued with %s by the dialect of the last answer", async (_parameter, continuation, query) => {
    await using server = await startScriptedServer(json(200, { messages: [MESSAGE], ...continuation }));
    await using api = chatApiAt(server.url);
    const first = await api.messages(TOKEN, "c1", 20);
    expect(first.messages).toMatchObject([{ id: "m1" }]);
    await api.messages(TOKEN, "c1", 20, first.next);
    expect(server.requests[1]?.url).toBe(`/chats/c1/messages?limit=20&${query}`);
  });

  it.each([{}, { nextToken: null, lastEvaluatedKey: null }])("end where the answer is %j", async (end) => {
    await using server = await startScriptedServer(json(200, { messages: [], ...end }));
    await using api = chatApiAt(server.url);
    expect(await api.messages(TOKEN, "c1", 20)).toEqual({ messages: [], next: undefined });
  });
});
