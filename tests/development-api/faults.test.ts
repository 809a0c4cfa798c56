import { describe, expect, test } from "vitest";
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { DEMO_CHATS } from "../../src/dev/seed.ts";
import { call, open } from "./client.ts";

const start = (): Promise<DevApi> => startDevApi({ file: ":memory:" });
const MESSAGES = `/chats/${DEMO_CHATS.shop}/messages`;
const POST = `POST ${MESSAGES}`;
const HELLO = { body: { content: "Hello" } };
const status = async (api: DevApi, request: string, token = "alice-token"): Promise<number> =>
  (await call(api, request, { token })).status;
const stored = (api: DevApi): number =>
  api.data.messages(DEMO_CHATS.shop).filter(({ content }) => content === "Hello").length;

describe("A fault", () => {
  test("is for requests of its method, path and token alone", async () => {
    await using api = await start();
    api.faults.unavailable({ method: "GET", path: MESSAGES, token: "bob-token" });
    expect(await status(api, `GET ${MESSAGES}?limit=3`, "bob-token")).toBe(503);
    expect(await status(api, `GET ${MESSAGES}?limit=3`)).toBe(200);
    expect(await status(api, "GET /chats", "bob-token")).toBe(200);
    expect((await call(api, POST, { ...HELLO, token: "bob-token" })).status).toBe(201);
  });

  test("whose path is an expression sees the query", async () => {
    await using api = await start();
    api.faults.unavailable({ path: /limit=3$/g });
    expect(await status(api, `GET ${MESSAGES}?limit=3`)).toBe(503);
    expect(await status(api, `GET ${MESSAGES}?limit=3`)).toBe(503);
    expect(await status(api, `GET ${MESSAGES}?limit=30`)).toBe(200);
  });

  test("lasts for as many requests as it says, or until it is lifted", async () => {
    await using api = await start();
    api.faults.unavailable({ times: 2 });
    const lasting = api.faults.rateLimited(1);
    const seen = [await status(api, "GET /chats"), await status(api, "GET /chats"), await status(api, "GET /chats")];
    lasting.lift();
    expect([...seen, await status(api, "GET /chats")]).toEqual([503, 503, 429, 200]);
  });

  test("ends with its block, and all end with clear()", async () => {
    await using api = await start();
    {
      using _ = api.faults.unavailable();
      expect(await status(api, "GET /chats")).toBe(503);
    }
    expect(await status(api, "GET /chats")).toBe(200);
    api.faults.down();
    api.faults.unavailable();
    api.faults.clear();
    expect(await status(api, "GET /chats")).toBe(200);
  });

  test("that strikes after processing leaves the request's effect", async () => {
    await using api = await start();
    api.faults.answer({ status: 204 }, { method: "PUT", when: "processed" });
    const answer = await call(api, `PUT /chats/${DEMO_CHATS.shop}/read-all`);
    expect([answer.status, answer.body]).toEqual([204, ""]);
    expect(api.data.messages(DEMO_CHATS.shop).at(-1)).toHaveProperty("readAt");
  });
});

describe("Answers in the API's place", () => {
  test("429 says when to come back", async () => {
    await using api = await start();
    api.faults.rateLimited(7);
    const { status: code, headers } = await call(api, POST, HELLO);
    expect([code, headers.get("retry-after"), stored(api)]).toEqual([429, "7", 0]);
  });

  test("HTML, JSON of another shape, a redirect", async () => {
    await using api = await start();
    api.faults.html({ times: 1 });
    api.faults.wrongJson({ times: 1 });
    api.faults.redirect("http://127.0.0.1:9/elsewhere", { times: 1 });
    const html = await call(api, "GET /chats");
    expect(html).toMatchObject({ status: 200, body: expect.stringContaining("<!doctype html>") });
    expect(html.headers.get("content-type")).toBe("text/html");
    expect((await call(api, "GET /chats")).body).toEqual({ unexpected: true });
    const redirect = await call(api, "GET /chats");
    expect([redirect.status, redirect.headers.get("location")]).toEqual([302, "http://127.0.0.1:9/elsewhere"]);
  });

  test("a body of any size", async () => {
    await using api = await start();
    api.faults.oversized(6_000_000);
    const response = await open(api, "GET /chats");
    expect((await response.arrayBuffer()).byteLength).toBe(6_000_000);
  });

  test("any status, headers and body", async () => {
    await using api = await start();
    api.faults.answer({ status: 418, headers: { "x-pot": "short" }, body: { message: "and stout" } });
    const { status: code, headers, body } = await call(api, "GET /chats");
    expect([code, headers.get("x-pot"), body]).toEqual([418, "short", { message: "and stout" }]);
  });
});

test("An answer that is due is changed on its way, after the request has taken effect", async () => {
  await using api = await start();
  api.faults.change((due) => ({ ...due, status: 418, body: { was: due.body ?? "nothing" } }), { times: 1 });
  const { status: code, body } = await call(api, POST, HELLO);
  expect([code, body]).toMatchObject([418, { was: { message: { content: "Hello" } } }]);
  expect(stored(api)).toBe(1);
  expect(await status(api, "GET /chats")).toBe(200);
});

describe("Connections", () => {
  test("are destroyed before the request takes effect while the API is down", async () => {
    await using api = await start();
    const fault = api.faults.down();
    await expect(call(api, POST, HELLO)).rejects.toThrow("fetch failed");
    expect(stored(api)).toBe(0);
    fault.lift();
    expect((await call(api, POST, HELLO)).status).toBe(201);
  });

  test("are destroyed after it has taken effect where the response is lost", async () => {
    await using api = await start();
    api.faults.loseResponse({ method: "POST", times: 1 });
    await expect(call(api, POST, { ...HELLO, idempotencyKey: "k1" })).rejects.toThrow("fetch failed");
    expect(stored(api)).toBe(1);
    expect((await call(api, POST, { ...HELLO, idempotencyKey: "k1" })).status).toBe(201);
    expect(stored(api)).toBe(1);
  });

  test("are destroyed in the middle of the body", async () => {
    await using api = await start();
    api.faults.reset({ times: 1 });
    const response = await open(api, "GET /chats");
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow("terminated");
    expect(await status(api, "GET /chats")).toBe(200);
  });

  test("say nothing more in the middle of a stalled body", async () => {
    await using api = await start();
    api.faults.stall({ path: "/chats" });
    const response = await open(api, "GET /chats");
    const reader = response.body?.getReader();
    const half = await reader?.read();
    expect(half?.value?.length).toBe(Math.floor(Number(response.headers.get("content-length")) / 2));
    let more = false;
    const ended = reader?.read().catch((error: unknown) => error);
    void ended?.then(() => (more = true));
    expect(await status(api, "GET /auth/profile")).toBe(200);
    expect(more).toBe(false);
    await api.close();
    expect(await ended).toMatchObject({ message: "terminated" });
  });
});

describe("Requests that are held", () => {
  test("go on when they are released", async () => {
    await using api = await start();
    const gate = api.faults.hold({ method: "POST" });
    const answers = [call(api, POST, HELLO), call(api, POST, HELLO)];
    await gate.arrived(2);
    expect(await status(api, "GET /chats")).toBe(200);
    expect([gate.held, stored(api)]).toEqual([2, 0]);
    gate.release();
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([201, 201]);
    expect((await call(api, POST, HELLO)).status).toBe(201);
  });

  test("can be released one by one", async () => {
    await using api = await start();
    const gate = api.faults.hold({ path: "/chats" });
    const first = call(api, "GET /chats");
    await gate.arrived(1);
    const second = call(api, "GET /chats");
    await gate.arrived(2);
    gate.release(1);
    expect((await first).status).toBe(200);
    expect(gate.held).toBe(1);
    gate.lift();
    expect((await second).status).toBe(200);
  });

  test("go on to the next fault", async () => {
    await using api = await start();
    const gate = api.faults.hold();
    const answer = call(api, "GET /chats");
    await gate.arrived();
    api.faults.unavailable();
    gate.release();
    expect((await answer).status).toBe(503);
  });

  test("can have taken effect already", async () => {
    await using api = await start();
    const gate = api.faults.hold({ method: "POST", when: "processed" });
    const answer = call(api, POST, HELLO);
    await gate.arrived();
    expect(stored(api)).toBe(1);
    gate.release();
    expect((await answer).status).toBe(201);
  });

  test("take effect when they are released even though the client has gone", async () => {
    await using api = await start();
    const gate = api.faults.hold({ method: "POST" });
    const client = new AbortController();
    const answer = call(api, POST, { ...HELLO, signal: client.signal });
    await gate.arrived();
    client.abort();
    await expect(answer).rejects.toThrow("aborted");
    expect(stored(api)).toBe(0);
    gate.release();
    expect(await status(api, "GET /chats")).toBe(200);
    expect(stored(api)).toBe(1);
  });

  test("can be held for a time, at most until the fault is lifted", async () => {
    await using api = await start();
    const short = api.faults.delay(1);
    expect(await status(api, "GET /chats")).toBe(200);
    short.lift();
    const long = api.faults.delay(3_600_000);
    const answer = status(api, "GET /chats");
    await api.faults.requests.arrived(2);
    long.lift();
    expect(await answer).toBe(200);
  });
});

describe("Who may do what", () => {
  test("changes with a revoked token, and back", async () => {
    await using api = await start();
    const second = api.data.issueToken(api.users[1]?.id ?? "");
    const revoked = api.data.revokeToken("bob-token");
    expect(await status(api, "GET /chats", "bob-token")).toBe(401);
    expect(await status(api, "GET /chats", second)).toBe(200);
    revoked.lift();
    revoked.lift();
    expect(await status(api, "GET /chats", "bob-token")).toBe(200);
    expect(() => api.data.revokeToken("nobody's")).toThrow("no such token");
  });

  test("changes with a member that is added or removed, and back", async () => {
    await using api = await start();
    const carol = api.users[2]?.id ?? "";
    const path = `GET /chats/${DEMO_CHATS.shop}`;
    const added = api.data.addMember(DEMO_CHATS.shop, carol);
    expect(await status(api, path, "carol-token")).toBe(200);
    const removed = api.data.removeMember(DEMO_CHATS.shop, carol);
    expect(await status(api, path, "carol-token")).toBe(403);
    removed.lift();
    expect(await status(api, path, "carol-token")).toBe(200);
    added.lift();
    expect(await status(api, path, "carol-token")).toBe(403);
    using nothing = api.data.removeMember(DEMO_CHATS.shop, carol);
    nothing.lift();
    expect(await status(api, path, "carol-token")).toBe(403);
  });

  test("changes with new users and with chats that are deleted", async () => {
    await using api = await start();
    const dora = api.data.createUser({ name: "Dora Dean" });
    const chat = api.data.createChat({ participants: [dora.id, api.users[0]?.id ?? ""] });
    expect((await call(api, "GET /chats", { token: dora.token })).body).toMatchObject({ chats: [{ id: chat.id }] });
    api.data.deleteChat(chat.id);
    expect((await call(api, "GET /chats", { token: dora.token })).body).toEqual({ chats: [] });
    expect(() => api.data.messages(chat.id)).toThrow("There is no chat");
  });
});

describe("The record of requests", () => {
  test("has each with method, path, headers and body, those that a fault has answered too", async () => {
    await using api = await start();
    await call(api, POST, { ...HELLO, idempotencyKey: "k1" });
    using _ = api.faults.unavailable();
    await call(api, `GET ${MESSAGES}?limit=3`, { token: null });
    expect(api.faults.requests.filter()).toEqual([
      {
        method: "POST",
        path: MESSAGES,
        authorization: "Bearer alice-token",
        idempotencyKey: "k1",
        body: '{"content":"Hello"}',
      },
      { method: "GET", path: `${MESSAGES}?limit=3`, authorization: undefined, idempotencyKey: undefined, body: "" },
    ]);
    expect(api.faults.requests.count({ method: "GET", path: MESSAGES })).toBe(1);
    expect(api.faults.requests.count({ token: "bob-token" })).toBe(0);
  });

  test("says when requests have arrived, and can be cleared", async () => {
    await using api = await start();
    const { requests } = api.faults;
    const arrived = requests.arrived(2, { path: "/chats" });
    const answers = [call(api, "GET /chats"), call(api, "GET /auth/profile"), call(api, "GET /chats")];
    await arrived;
    expect(requests.count({ path: "/chats" })).toBe(2);
    await Promise.all(answers);
    requests.clear();
    expect(requests.count()).toBe(0);
  });
});
