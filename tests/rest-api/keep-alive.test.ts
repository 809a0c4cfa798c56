/** Connections that are kept between requests, and the moment at which somebody closes them. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { CHAT, chatApiAt, errorOf, MESSAGE, TOKEN } from "../support/rest-chat-api.ts";

interface KeepingServer extends AsyncDisposable {
  readonly url: string;
  readonly sockets: readonly Socket[];
  /** Requests that came, whatever became of them. */
  readonly received: readonly string[];
}

/**
 * Answers everything. `spoil` is asked at each request, with how many its connection has had before, whether the connection is cut
 * instead.
 */
async function startKeepingServer(
  headers: Readonly<Record<string, string>>,
  spoil: (earlier: number) => boolean = () => false,
): Promise<KeepingServer> {
  const sockets: Socket[] = [];
  const received: string[] = [];
  const counts = new WeakMap<Socket, number>();
  const server = createServer((request, response) => {
    const earlier = counts.get(request.socket) ?? 0;
    counts.set(request.socket, earlier + 1);
    received.push(request.method ?? "");
    if (spoil(earlier)) request.socket.destroy();
    else
      response
        .writeHead(200, { "content-type": "application/json", ...headers })
        .end(JSON.stringify({ chat: CHAT, message: MESSAGE }));
  });
  server.keepAliveTimeout = 3000;
  server.on("connection", (socket) => sockets.push(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

test.each([
  ["announces no time", { connection: "keep-alive" }],
  ["announces three seconds", {}],
])("an idle connection is closed by the gateway first where the API %s", async (_what, headers) => {
  await using server = await startKeepingServer(headers);
  await using api = chatApiAt(server.url);
  let tries = 0;
  do {
    await api.chat(TOKEN, "c1");
    expect(server.sockets).toHaveLength(++tries);
    // On a starved machine, where both timers are late, the API may be the first now and then.
  } while ((await endedBy(server.sockets.at(-1))) !== "gateway");
  await api.chat(TOKEN, "c1");
  expect(server.sockets).toHaveLength(tries + 1);
});

/** Which side ends a connection: the API receives the gateway's end before it would end the connection itself. */
async function endedBy(socket: Socket | undefined): Promise<"gateway" | "api"> {
  if (!socket) throw new Error("nobody has connected");
  const ended = new AbortController();
  const { signal } = ended;
  const byGateway = once(socket, "end", { signal }).then(() => "gateway" as const);
  const byApi = once(socket, "close", { signal }).then(() => "api" as const);
  byGateway.catch(() => undefined);
  byApi.catch(() => undefined);
  const first = await Promise.race([byGateway, byApi]);
  ended.abort();
  return first;
}

/** An answer is there a moment before its connection is free for the next request. */
const connectionFree = (): Promise<void> => setImmediate();

test("a read on a connection that the API closes at that moment is repeated", async () => {
  await using server = await startKeepingServer({}, (earlier) => earlier === 1);
  await using api = chatApiAt(server.url);
  await api.chat(TOKEN, "c1");
  await connectionFree();
  expect(await api.chat(TOKEN, "c1")).toMatchObject({ id: "c1" });
  expect(server.sockets).toHaveLength(2);
  expect(server.received).toHaveLength(3);
});

test("a POST on such a connection is not sent twice, and fails", async () => {
  await using server = await startKeepingServer({}, (earlier) => earlier === 1);
  await using api = chatApiAt(server.url);
  await api.chat(TOKEN, "c1");
  await connectionFree();
  expect((await errorOf(api.sendMessage(TOKEN, "c1", "hello", "key"))).code).toBe("UPSTREAM_UNAVAILABLE");
  expect(server.received).toEqual(["GET", "POST"]);
});

test("a POST is not lost where the API has closed the connection and this process has not read that yet", async () => {
  await using server = await startKeepingServer({});
  await using api = chatApiAt(server.url);
  await api.chat(TOKEN, "c1");
  await connectionFree();
  // After a while without a request, as it is where a connection is idle for too long.
  await once(AbortSignal.timeout(100), "abort");
  for (const socket of server.sockets) socket.destroy();
  expect(await api.sendMessage(TOKEN, "c1", "hello", "key")).toMatchObject({ id: "m1" });
  expect(server.received).toEqual(["GET", "POST"]);
});
