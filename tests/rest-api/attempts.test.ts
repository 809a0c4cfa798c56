import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import {
  chatApiAt,
  CHAT,
  errorOf,
  MESSAGE,
  recordingLog,
  TOKEN,
  type DisposableChatApi,
} from "../support/rest-chat-api.ts";
import {
  hangUp,
  inTurn,
  json,
  partly,
  raw,
  silence,
  startScriptedServer,
  type Answer,
} from "../support/scripted-server.ts";

const get = (api: DisposableChatApi) => api.chat(TOKEN, "c1");
const put = (api: DisposableChatApi) => api.markChatRead(TOKEN, "c1");
/** As {@link hangUp}, with a RST. */
const reset: Answer = (response) => {
  response.socket?.resetAndDestroy();
};

const post = (api: DisposableChatApi) => api.sendMessage(TOKEN, "c1", "hello", "key-1");

/** Accepts TCP connections and speaks no TLS on them. */
async function startDeafServer(onConnection: (socket: Socket) => void = () => undefined) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    connections: () => sockets.length,
    [Symbol.dispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function refusingUrl(): Promise<string> {
  await using server = await startScriptedServer(silence);
  return server.url;
}

describe("a GET or PUT", () => {
  it.each([429, 500, 502, 503, 504])("is repeated on %i, up to the attempts that were configured", async (status) => {
    await using server = await startScriptedServer(raw(status, ""));
    await using api = chatApiAt(server.url);
    expect((await errorOf(get(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect(server.requests).toHaveLength(3);
    expect((await errorOf(put(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect(server.requests).toHaveLength(6);
  });

  it("answers what a later attempt brings", async () => {
    await using server = await startScriptedServer(inTurn(raw(503, ""), hangUp, json(200, { chat: CHAT })));
    await using api = chatApiAt(server.url);
    expect(await get(api)).toMatchObject({ id: "c1" });
    expect(server.requests).toHaveLength(3);
  });

  it("is repeated when the connection is cut before the answer", async () => {
    await using server = await startScriptedServer(hangUp);
    await using api = chatApiAt(server.url);
    expect((await errorOf(get(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect((await errorOf(put(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "GET", "GET", "PUT", "PUT", "PUT"]);
  });

  it("is repeated when the connection is cut in the middle of the answer", async () => {
    const cut = partly(200, (response) => response.socket?.destroy());
    await using server = await startScriptedServer(inTurn(cut, json(200, { chat: CHAT })));
    await using api = chatApiAt(server.url);
    expect(await get(api)).toMatchObject({ id: "c1" });
    expect(server.requests).toHaveLength(2);
  });

  it("is repeated when the server resets a connection that was kept alive", async () => {
    const fine = json(200, { chat: CHAT });
    await using server = await startScriptedServer(inTurn(fine, reset, fine));
    await using api = chatApiAt(server.url);
    await get(api);
    expect(await get(api)).toMatchObject({ id: "c1" });
    expect(server.requests).toHaveLength(3);
    expect(server.connections()).toBe(2);
  });

  it("is sent once where one attempt is configured", async () => {
    await using server = await startScriptedServer(raw(503, ""));
    await using api = chatApiAt(server.url, { attempts: 1 });
    await errorOf(get(api));
    expect(server.requests).toHaveLength(1);
  });
});

describe("a POST", () => {
  it.each([429, 503])("is repeated on %i, with the same key", async (status) => {
    await using server = await startScriptedServer(inTurn(raw(status, ""), json(201, { message: MESSAGE })));
    await using api = chatApiAt(server.url);
    expect(await post(api)).toMatchObject({ id: "m1" });
    expect(server.requests.map(({ headers }) => headers["idempotency-key"])).toEqual(["key-1", "key-1"]);
  });

  it.each([500, 502, 504])("is not repeated on %i", async (status) => {
    await using server = await startScriptedServer(raw(status, ""));
    await using api = chatApiAt(server.url);
    expect((await errorOf(post(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ["before the answer", hangUp],
    ["in the middle of the answer", partly(201, (response) => response.socket?.destroy())],
  ])("is not repeated when the connection is cut %s", async (_when, cut) => {
    await using server = await startScriptedServer(cut);
    await using api = chatApiAt(server.url);
    expect((await errorOf(post(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect(server.requests).toHaveLength(1);
  });

  it("is repeated when the connection is refused", async () => {
    const { log, lines } = recordingLog();
    await using api = chatApiAt(await refusingUrl(), { log });
    expect((await errorOf(post(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect(lines.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, "could not connect (ECONNREFUSED)"],
      [2, "could not connect (ECONNREFUSED)"],
    ]);
  });

  it("is repeated when a TLS handshake is reset, though the code is the one of a lost answer", async () => {
    using deaf = await startDeafServer((socket) => socket.resetAndDestroy());
    await using api = chatApiAt(deaf.url);
    expect((await errorOf(post(api))).code).toBe("UPSTREAM_UNAVAILABLE");
    expect(deaf.connections()).toBe(3);
  });

  it.each([
    ["on 500", raw(500, "")],
    ["when the connection is cut before the answer", hangUp],
    ["when the connection is cut in the middle of the answer", partly(201, (response) => response.socket?.destroy())],
  ])("is repeated %s where the API honours Idempotency-Key", async (_when, failure) => {
    await using server = await startScriptedServer(inTurn(failure, json(201, { message: MESSAGE })));
    await using api = chatApiAt(server.url, { idempotentPosts: true });
    expect(await post(api)).toMatchObject({ id: "m1" });
    expect(server.requests.map(({ headers }) => headers["idempotency-key"])).toEqual(["key-1", "key-1"]);
  });
});

it.each([400, 401, 403, 404, 408, 409, 418])("a %i is never repeated", async (status) => {
  await using server = await startScriptedServer(raw(status, "", { "retry-after": "0" }));
  await using api = chatApiAt(server.url, { idempotentPosts: true });
  await Promise.all([get, put, post].map(async (call) => errorOf(call(api))));
  expect(server.requests).toHaveLength(3);
});

describe("a timeout", () => {
  const methods: [string, (api: DisposableChatApi) => Promise<unknown>][] = [
    ["GET", get],
    ["PUT", put],
    ["POST", post],
  ];

  // A request may not have reached the server when its time is over. Each repetition is logged.
  it.each(methods)("ends a %s that is not answered, without another attempt", async (_method, call) => {
    const { log, lines } = recordingLog();
    await using server = await startScriptedServer(silence);
    await using api = chatApiAt(server.url, { timeoutMs: 100, idempotentPosts: true, log });
    expect((await errorOf(call(api))).code).toBe("UPSTREAM_TIMEOUT");
    expect(lines).toEqual([]);
    expect(server.requests.length).toBeLessThan(2);
  });

  it("ends an answer that stalls half-way, without another attempt", async () => {
    const { log, lines } = recordingLog();
    await using server = await startScriptedServer(partly(200));
    await using api = chatApiAt(server.url, { timeoutMs: 300, log });
    expect((await errorOf(get(api))).code).toBe("UPSTREAM_TIMEOUT");
    expect(lines).toEqual([]);
    expect(server.requests.length).toBeLessThan(2);
  });

  it("ends a request whose connection does not come about, and those that wait for it", async () => {
    using deaf = await startDeafServer();
    await using api = chatApiAt(deaf.url, { timeoutMs: 100, connections: 1 });
    const calls = Array.from({ length: 6 }, async (_, n) => errorOf(api.chat(TOKEN, `c${n}`)));
    expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(new Set(["UPSTREAM_TIMEOUT"]));
    // A request that waited until its connection failed would have opened a second one.
    expect(deaf.connections()).toBeLessThanOrEqual(1);
  });

  it("takes requests out of the queue, so that an API that is back hears nothing of them", async () => {
    let up = false;
    await using server = await startScriptedServer((response, request) =>
      up ? json(200, { chat: CHAT })(response, request) : undefined,
    );
    await using api = chatApiAt(server.url, { timeoutMs: 500, connections: 1 });
    const queued = Array.from({ length: 20 }, async () => errorOf(post(api)));
    expect(new Set((await Promise.all(queued)).map(({ code }) => code))).toEqual(new Set(["UPSTREAM_TIMEOUT"]));
    up = true;
    // However long the first answer takes on this machine.
    await expect.poll(() => get(api)).toMatchObject({ id: "c1" });
    const heard = server.requests.map(({ method }) => method);
    expect(heard.at(-1)).toBe("GET");
    // What was on its way when its time was over may arrive. The queue would be 20.
    expect(heard.filter((method) => method === "POST").length).toBeLessThan(10);
  });

  it("does not wait for the body of an answer whose status says it all", async () => {
    await using server = await startScriptedServer(partly(404));
    await using api = chatApiAt(server.url);
    expect((await errorOf(get(api))).code).toBe("NOT_FOUND");
  });
});

describe("connections", () => {
  it("are bounded in number", async () => {
    const all = Promise.withResolvers<void>();
    await using server = await startScriptedServer(async (response) => {
      await all.promise;
      response.end(JSON.stringify({ chat: CHAT }));
    });
    await using api = chatApiAt(server.url, { connections: 3 });
    const calls = Array.from({ length: 20 }, async (_, index) => api.chat(TOKEN, `c${index}`));
    all.resolve();
    await Promise.all(calls);
    expect(server.requests).toHaveLength(20);
    expect(server.connections()).toBeLessThanOrEqual(3);
  });

  it("are used again, after refusals too", async () => {
    await using server = await startScriptedServer(inTurn(raw(404, "x".repeat(1000)), json(200, { chat: CHAT })));
    await using api = chatApiAt(server.url, { connections: 1 });
    await errorOf(get(api));
    await get(api);
    await get(api);
    expect(server.connections()).toBe(1);
  });
});
