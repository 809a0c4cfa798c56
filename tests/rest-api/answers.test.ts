import { describe, expect, it } from "vitest";
import { ERROR_CATALOGUE } from "../../src/errors.ts";
import {
  CHAT,
  chatApiAt,
  errorOf,
  everythingIn,
  MESSAGE,
  PROFILE,
  TOKEN,
  type DisposableChatApi,
} from "../support/rest-chat-api.ts";
import { json, raw, silence, startScriptedServer, type Answer } from "../support/scripted-server.ts";

type Call = (api: DisposableChatApi) => Promise<unknown>;

const profile: Call = (api) => api.profile(TOKEN);
const chats: Call = (api) => api.chats(TOKEN);
const chat: Call = (api) => api.chat(TOKEN, "c1");
const messages: Call = (api) => api.messages(TOKEN, "c1", 20);
const send: Call = (api) => api.sendMessage(TOKEN, "c1", "a secret of Anna's", "key-1");
const markRead: Call = (api) => api.markRead(TOKEN, "c1", "m1");
const markChatRead: Call = (api) => api.markChatRead(TOKEN, "c1");
const OF_A_CHAT = { chat, messages, send, markRead, markChatRead };

/** What a call comes to that is answered so. */
async function ask(call: Call, answer: Answer) {
  await using server = await startScriptedServer(answer);
  await using api = chatApiAt(server.url, { attempts: 1 });
  // Awaited here: the client is closed and the server cut when this returns.
  return await call(api);
}

const refusal = (call: Call, answer: Answer) => errorOf(ask(call, answer));

function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : "";
}

describe("a refusal", () => {
  it.each(Object.entries(OF_A_CHAT))("of %s is told by its status", async (_name, call) => {
    expect((await refusal(call, json(401, { error: "no" }))).code).toBe("UNAUTHENTICATED");
    expect((await refusal(call, json(403, { error: "no" }))).code).toBe("NOT_PARTICIPANT");
    expect((await refusal(call, json(404, { error: "no" }))).code).toBe("NOT_FOUND");
    expect((await refusal(call, json(400, { error: "no" }))).code).toBe("BAD_USER_INPUT");
  });

  it.each([401, 403, 404, 410])("of the profile with %i is UNAUTHENTICATED", async (status) => {
    expect((await refusal(profile, raw(status, ""))).code).toBe("UNAUTHENTICATED");
  });

  it("of the chats with 404 tells of a wrong base URL", async () => {
    expect((await refusal(chats, raw(404, ""))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect((await refusal(chats, raw(401, ""))).code).toBe("UNAUTHENTICATED");
  });

  it.each([402, 405, 409, 410, 413, 418, 422, 500, 501, 503])("with %i is UPSTREAM_UNAVAILABLE", async (status) => {
    const error = await refusal(chat, raw(status, ""));
    expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
    expect(causeOf(error)).toBe(`GET /chats/:chatId: answered ${status}`);
  });
});

describe("a 400", () => {
  it.each([
    ["content", send],
    ["messageId", markRead],
    ["chatId", chat],
    ["chatId", messages],
    ["chatId", markChatRead],
  ])("names the argument %s", async (argument, call) => {
    expect(await refusal(call, json(400, { error: "Not like that" }))).toMatchObject({
      code: "BAD_USER_INPUT",
      message: "Not like that",
      argument,
    });
  });

  it.each([
    ["error", { error: " Too long " }, "Too long"],
    ["message", { message: "Too long" }, "Too long"],
    ["error before message", { error: "Too long", message: "Bad Request" }, "Too long"],
    ["message where error names the status", { error: "Bad Request", message: "Too long" }, "Too long"],
    ["error that names the status where there is no more", { error: "Bad Request" }, "Bad Request"],
    ["detail of a problem document", { type: "about:blank", title: "Bad Request", detail: "Too long" }, "Too long"],
    ["detail where error names the status", { error: "Bad Request", detail: "Too long" }, "Too long"],
    ["message where error is no sentence", { error: { code: 7 }, message: "Too long" }, "Too long"],
  ])("tells the API's own sentence: %s", async (_where, body, sentence) => {
    expect((await refusal(send, json(400, body))).message).toBe(sentence);
  });

  it.each([
    ["is empty", raw(400, "")],
    ["is HTML", raw(400, "<h1>Bad Request</h1>")],
    ["has no sentence", json(400, { code: 7 })],
    ["has an empty one", json(400, { error: "  " })],
    ["has a novel", json(400, { error: "x".repeat(10_000) })],
    ["is null", json(400, null)],
    [
      "is cut",
      (response) => {
        response.writeHead(400, { "content-length": "100" }).write("{", () => response.socket?.destroy());
      },
    ],
  ] satisfies [string, Answer][])("tells the catalogue's sentence where the body %s", async (_what, answer) => {
    expect((await refusal(send, answer)).message).toBe(ERROR_CATALOGUE.BAD_USER_INPUT.message);
  });
});

describe("an answer that is not the contract's", () => {
  it.each([
    ["HTML", raw(200, "<html>hello</html>", { "content-type": "text/html" }), "not JSON"],
    ["cut JSON", raw(200, '{"chat":{"id":"c1"'), "not JSON"],
    ["nothing", raw(200, ""), "empty body"],
    ["a 204", raw(204, ""), "empty body"],
    ["null", json(200, null), "the body: "],
    ["an array", json(200, []), "the body: "],
    ["another object", json(200, { chats: [] }), "chat: "],
    ["a missing field", json(200, { chat: { ...CHAT, participants: undefined } }), "chat.participants: "],
    ["a wrong type deep inside", json(200, { chat: { ...CHAT, participants: ["u1", 2] } }), "chat.participants.1: "],
    ["an instant that is none", json(200, { chat: { ...CHAT, createdAt: "yesterday" } }), "chat.createdAt: "],
    ["an empty id", json(200, { chat: { ...CHAT, id: "" } }), "chat.id: "],
  ])("is UPSTREAM_UNAVAILABLE and the cause says so: %s", async (_what, answer, problem) => {
    const error = await refusal(chat, answer);
    expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
    expect(causeOf(error)).toContain("GET /chats/:chatId: answered with ");
    expect(causeOf(error)).toContain(problem);
  });

  it("has its wrong fields counted beyond the first five", async () => {
    const error = await refusal(chat, json(200, { chat: { ...CHAT, participants: [1, 2, 3, 4, 5, 6] } }));
    expect(causeOf(error)).toMatch(/chat\.participants\.0: .*; and 1 more$/);
  });

  it.each([
    ["a lost answer", (response) => void response.socket?.destroy()],
    ["a wrong shape", json(200, { message: { ...MESSAGE, content: "a secret of Anna's", createdAt: 7 } })],
    ["cut JSON", raw(200, "a secret of Anna's")],
    ["a refusal", json(500, { error: "a secret of Anna's" })],
  ] satisfies [string, Answer][])("leaves no token, id or content in the error: %s", async (_what, answer) => {
    const error = await refusal(send, answer);
    expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
    expect(causeOf(error)).toContain("POST /chats/:chatId/messages: ");
    for (const secret of [TOKEN, "a secret", "c1"]) expect(everythingIn(error)).not.toContain(secret);
  });

  it("may hold more than the contract says", async () => {
    const answer = json(200, {
      user: { ...PROFILE, avatar: { url: "x" } },
      chats: [{ ...CHAT, archived: true, lastMessage: "hi" }],
      more: 1,
    });
    expect(await ask(profile, answer)).toMatchObject(PROFILE);
    expect(await ask(chats, answer)).toMatchObject([CHAT]);
  });

  it("may lack what is optional", async () => {
    expect(await ask(chats, json(200, { chats: [CHAT] }))).toMatchObject([CHAT]);
  });
});

describe("a body that is not UTF-8", () => {
  const latin1 = (contentType: string): Answer => {
    const body = Buffer.from(JSON.stringify({ user: { ...PROFILE, name: "Zoë" } }), "latin1");
    return (response) => void response.writeHead(200, { "content-type": contentType }).end(body);
  };

  it.each(["iso-8859-1", '"ISO-8859-1"', "windows-1252"])("is read in the charset that is named: %s", async (name) => {
    expect(await ask(profile, latin1(`application/json; charset=${name}`))).toMatchObject({ name: "Zoë" });
  });

  it.each(["", "; charset=utf-8", "; charset=none-such"])(
    "costs the characters that cannot be read: %j",
    async (more) => {
      expect(await ask(profile, latin1(`application/json${more}`))).toMatchObject({ name: "Zo\uFFFD" });
    },
  );

  it("is UTF-8 where it can be, whatever charset is named", async () => {
    const answer = json(
      200,
      { user: { ...PROFILE, name: "Zoë" } },
      { "content-type": "application/json;charset=latin1" },
    );
    expect(await ask(profile, answer)).toMatchObject({ name: "Zoë" });
  });
});

describe("a redirect", () => {
  it.each([301, 302, 303, 307, 308])("with %i is not followed", async (status) => {
    await using elsewhere = await startScriptedServer(json(200, { chat: CHAT, message: MESSAGE }));
    const answer = raw(status, "", { location: `${elsewhere.url}/chats/c1` });
    for (const error of await Promise.all([chat, send, markChatRead].map(async (call) => refusal(call, answer)))) {
      expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
      expect(causeOf(error)).toContain(`answered ${status}`);
    }
    expect(elsewhere.requests).toHaveLength(0);
  });
});

const chatOf = (bytes: number) => JSON.stringify({ chat: { ...CHAT, padding: "x".repeat(bytes) } });

describe("an answer's size", () => {
  it.each<[string, (body: string) => Answer]>([
    ["with a length", (body) => raw(200, body, { "content-length": String(Buffer.byteLength(body)) })],
    [
      "in chunks",
      (body) => (response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" });
        response.write(body.slice(0, 1000));
        response.end(body.slice(1000));
      },
    ],
  ])("over 5 MB is refused and not asked for again, below it is not: %s", async (_how, answerWith) => {
    await using big = await startScriptedServer(answerWith(chatOf(5_000_001)));
    await using api = chatApiAt(big.url);
    const error = await errorOf(chat(api));
    expect(error.code).toBe("UPSTREAM_UNAVAILABLE");
    expect(causeOf(error)).toBe("GET /chats/:chatId: the answer is over 5000000 bytes (HTTP_API_MAX_RESPONSE)");
    expect(big.requests).toHaveLength(1);
    expect(await ask(chat, answerWith(chatOf(4_999_000)))).toMatchObject(CHAT);
  });
});

describe("marking as read", () => {
  it("brings the instant where the API gives one", async () => {
    expect(await ask(markRead, json(200, { message: "ok", readAt: "2026-01-01T01:00:00+01:00" }))).toBe(
      "2026-01-01T00:00:00.000Z",
    );
  });

  it.each([
    ["204", raw(204, "")],
    ["an empty body", raw(200, "")],
    ["null", json(200, null)],
    ["no instant", json(200, { message: "ok" })],
    ["a text", json(200, "ok")],
    ["a list", json(200, [])],
    ["true", json(200, true)],
    ["a number", json(201, 1)],
    ["words", raw(200, "OK", { "content-type": "text/plain" })],
    ["an instant that is none", json(200, { readAt: "now" })],
  ])("succeeds with %s", async (_what, answer) => {
    expect(await ask(markRead, answer)).toBeUndefined();
    expect(await ask(markChatRead, answer)).toBeUndefined();
  });

  it("fails with something that is not JSON", async () => {
    const html = raw(200, "<html>OK</html>");
    expect((await refusal(markRead, html)).code).toBe("UPSTREAM_UNAVAILABLE");
    expect((await refusal(markChatRead, html)).code).toBe("UPSTREAM_UNAVAILABLE");
  });

  it("fails with JSON that is cut", async () => {
    expect((await refusal(markRead, raw(200, '{"readAt":'))).code).toBe("UPSTREAM_UNAVAILABLE");
  });
});

it("a timeout's cause names the request", async () => {
  await using server = await startScriptedServer(silence);
  await using api = chatApiAt(server.url, { timeoutMs: 50 });
  expect(causeOf(await errorOf(chat(api)))).toBe("GET /chats/:chatId: no answer within 50 ms");
});
