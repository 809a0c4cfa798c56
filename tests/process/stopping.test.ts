import { print } from "graphql";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { connect, type TestClient } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { openEventStream, postOperation } from "../support/http.ts";
import { rawConnection, rawRequest, rawUpgrade } from "../support/tcp.ts";

const RESTART = { code: 1012, reason: "Service restart" };
const CLEAN = { code: 0, signal: null };

/** Sends one message after the other until that fails or `more` says no. Tells of each before it is sent and after it is answered. */
async function talk(
  client: TestClient,
  chatId: string,
  contents: Iterable<string>,
  tell: { sent(content: string): void; answered(content: string): void },
): Promise<void> {
  try {
    for (const content of contents) {
      tell.sent(content);
      const { sendMessage } = await client.run(SendMessageDocument, { chatId, content });
      tell.answered(sendMessage.content);
    }
  } catch {
    // The socket was closed: there is no answer.
  }
}

function* endlessly(name: string): Generator<string> {
  for (let count = 0; ; count++) yield `${name} ${count}`;
}

/** Resolves when `set` has so many. */
function filling(count: number): { readonly set: Set<string>; add(entry: string): void; readonly full: Promise<void> } {
  const set = new Set<string>();
  const full = Promise.withResolvers<void>();
  return {
    set,
    add: (entry) => {
      set.add(entry);
      if (set.size >= count) full.resolve();
    },
    full: full.promise,
  };
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s lets everybody go, and the exit code says that all went well",
  async (signal) => {
    await using gateway = await startGatewayProcess();
    const { process, api, wsUrl, url } = gateway;
    await using client = connect(wsUrl, api.users[0]?.token);
    await using subscription = client.subscribe(MessageAddedDocument);
    await client.run(ChatsDocument);
    await using sse = await openEventStream(
      url,
      { query: "subscription { messageAdded { content } }" },
      api.users[1]?.token,
    );
    process.send(signal);
    expect(await client.closed).toEqual(RESTART);
    await sse.ended();
    expect(await process.exited).toEqual(CLEAN);
    const messages = process.log.map(({ msg }) => String(msg)).filter((msg) => !msg.startsWith("connection "));
    expect(messages).toEqual(["listening", "stopping", "stopped"]);
    expect(await process.logged("stopping")).toMatchObject({ signal });
    expect(subscription.waiting).toEqual([]);
    expect(process.errors).toBe("");
  },
);

test("under traffic, what was done is answered, and what is not answered was not done", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "200" });
  const { process, api, wsUrl } = gateway;
  await using stack = new AsyncDisposableStack();
  const answered = filling(200);
  const clients = Array.from({ length: 6 }, (_, index) => stack.use(connect(wsUrl, api.users[index % 3]?.token)));
  for (const client of clients) stack.use(client.subscribe(MessageAddedDocument));
  // Several at once on each connection, so that there are always some on their way in both directions.
  const talks = clients.flatMap((client, index) =>
    ["a", "b", "c", "d"].map((name) =>
      talk(client, api.demoChatId, endlessly(`${index}${name}`), {
        sent: () => undefined,
        answered: (content) => answered.add(content),
      }),
    ),
  );
  const before = new Set(api.data.messages(api.demoChatId).map(({ content }) => content));
  await answered.full;
  process.send("SIGTERM");
  expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual(clients.map(() => RESTART));
  await Promise.all(talks);
  expect(await process.exited).toEqual(CLEAN);
  const done = api.data.messages(api.demoChatId).map(({ content }) => content);
  expect(done.filter((content) => !before.has(content)).toSorted()).toEqual([...answered.set].toSorted());
});

test("stock clients that come back to another instance have every message sent, once", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "100" });
  const { process, api } = gateway;
  await using other = await startGateway({ HTTP_API_URL: api.url });
  let { wsUrl } = gateway;
  await using stack = new AsyncDisposableStack();
  const sent = new Set<string>();
  const answered = filling(60);
  const clients = Array.from({ length: 4 }, (_, index) =>
    stack.use(
      connect("", api.users[index % 3]?.token, {
        url: () => wsUrl,
        retryAttempts: 5,
        retryWait: () => Promise.resolve(),
      }),
    ),
  );
  let isOver = false;
  function* untilOver(name: string): Generator<string> {
    for (const content of endlessly(name)) {
      if (isOver) return;
      yield content;
    }
  }
  const talks = clients.flatMap((client, index) =>
    ["a", "b"].map((name) =>
      talk(client, api.demoChatId, untilOver(`${index}${name}`), {
        sent: (content) => sent.add(content),
        answered: (content) => answered.add(content),
      }),
    ),
  );
  await answered.full;
  ({ wsUrl } = other);
  process.send("SIGTERM");
  expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual(clients.map(() => RESTART));
  expect(await process.exited).toEqual(CLEAN);
  isOver = true;
  await Promise.all(talks);
  expect([...answered.set].toSorted()).toEqual([...sent].toSorted());
  const done = api.data.messages(api.demoChatId).map(({ content }) => content);
  expect(done.filter((content) => sent.has(content)).toSorted()).toEqual([...sent].toSorted());
});

test("what is under way at the REST API is answered before its connection is closed; nobody is taken in meanwhile", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "5000" });
  const { process, api, url, wsUrl } = gateway;
  await using client = connect(wsUrl, api.users[0]?.token);
  await using probe = await rawConnection(url);
  await using latecomer = await rawConnection(url);
  await client.acknowledged;
  using gate = api.faults.hold({ method: "POST" });
  const order: string[] = [];
  const overSocket = client.run(SendMessageDocument, { chatId: api.demoChatId, content: "over a socket" });
  const overHttp = postOperation(
    url,
    { query: print(SendMessageDocument), variables: { chatId: api.demoChatId, content: "over HTTP" } },
    api.users[0]?.token,
  );
  await gate.arrived(2);
  process.send("SIGTERM");
  await process.logged("stopping");
  probe.send(rawRequest("/ready"));
  latecomer.send(rawUpgrade());
  expect(await probe.received).toMatch(/^HTTP\/1\.1 503 [^]*\{"status":"unavailable","notReady":\["draining"\]\}/);
  expect(await latecomer.received).toMatch(/^HTTP\/1\.1 503 /);
  gate.release();
  void client.closed.then(() => order.push("closed"));
  const { sendMessage } = await overSocket;
  order.push("answered");
  expect(sendMessage.content).toBe("over a socket");
  const { data, headers } = await overHttp;
  expect(data).toMatchObject({ sendMessage: { content: "over HTTP" } });
  // Kept alive, it would hold up the end.
  expect(headers.get("connection")).toBe("close");
  expect(await client.closed).toEqual(RESTART);
  expect(order).toEqual(["answered", "closed"]);
  expect(await process.exited).toEqual(CLEAN);
});

test("without WebSockets, requests are served and streams end one after the other over the window", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "10000" });
  const { process, api, url } = gateway;
  const token = api.users[0]?.token;
  await using stack = new AsyncDisposableStack();
  const query = "subscription { messageAdded { content } }";
  const streams = await Promise.all([1, 2].map(() => openEventStream(url, { query }, token)));
  for (const stream of streams) stack.use(stream);
  process.send("SIGTERM");
  await Promise.race(streams.map((stream) => stream.ended()));
  // On a connection of its own: the load balancer has not seen yet that the instance is not ready.
  expect((await fetch(new URL("/ready", url))).status).toBe(503);
  const operation = { query: print(SendMessageDocument), variables: { chatId: api.demoChatId, content: "late" } };
  expect((await postOperation(url, operation, token)).data).toMatchObject({ sendMessage: { content: "late" } });
  expect(await process.exited).toEqual(CLEAN);
  const closings = process.log.filter(({ msg }) => msg === "connection closed");
  expect(closings).toMatchObject([1, 2].map(() => ({ transport: "sse", code: 1012, starts: { new: 1 } })));
});

test("a client that waits for an answer is not taken for dead, however quick the heartbeat", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "12000", HEARTBEAT_INTERVAL: "2500" });
  const { process, api, wsUrl } = gateway;
  await using waiting = connect(wsUrl, api.users[0]?.token);
  await waiting.acknowledged;
  await using other = connect(wsUrl, api.users[1]?.token);
  await other.acknowledged;
  using gate = api.faults.hold({ method: "POST" });
  const sending = waiting.run(SendMessageDocument, { chatId: api.demoChatId, content: "hello" });
  await gate.arrived();
  process.send("SIGTERM");
  // Half the window later, at least two heartbeats.
  expect(await other.closed).toEqual(RESTART);
  gate.release();
  expect((await sending).sendMessage.content).toBe("hello");
  expect(await waiting.closed).toEqual(RESTART);
  expect(await process.exited).toEqual(CLEAN);
});

test("clients are let go one after the other: who is not let go yet is served", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "60000" });
  const { process, api, wsUrl } = gateway;
  await using stack = new AsyncDisposableStack();
  const clients = Array.from({ length: 4 }, () => stack.use(connect(wsUrl, api.users[0]?.token)));
  await Promise.all(clients.map(({ acknowledged }) => acknowledged));
  process.send("SIGTERM");
  const first = await Promise.race(clients.map(async (client) => ({ client, event: await client.closed })));
  expect(first.event).toEqual(RESTART);
  const others = clients.filter((client) => client !== first.client);
  const answers = await Promise.allSettled(others.map((client) => client.run(ChatsDocument)));
  expect(answers.at(-1)?.status).toBe("fulfilled");
});

test("a second signal ends a process that waits, at once", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "8000" });
  const { process, api, wsUrl } = gateway;
  await using client = connect(wsUrl, api.users[0]?.token);
  await client.acknowledged;
  using gate = api.faults.hold({ method: "POST" });
  const sending = client.run(SendMessageDocument, { chatId: api.demoChatId, content: "never answered" });
  sending.catch(() => undefined);
  await gate.arrived();
  process.send("SIGTERM");
  await process.logged("stopping");
  process.send("SIGINT");
  expect(await process.exited).toEqual({ code: 1, signal: null });
  expect(process.log.at(-1)).toMatchObject({ signal: "SIGINT", msg: "stopped at once" });
  await expect(sending).rejects.toBeDefined();
  expect(gate.held).toBe(1);
});

test("a client that is connected but hears nothing does not hold up the end", async () => {
  await using gateway = await startGatewayProcess({ DRAIN_WINDOW: "100" });
  const { process, api, wsUrl } = gateway;
  await using client = connect(wsUrl, api.users[0]?.token);
  await client.acknowledged;
  const deaf = new WebSocket(wsUrl, "graphql-transport-ws");
  await using stack = new AsyncDisposableStack();
  stack.defer(() => deaf.terminate());
  await new Promise((resolve) => deaf.once("open", resolve));
  deaf.pause();
  process.send("SIGTERM");
  expect(await client.closed).toEqual(RESTART);
  expect(await process.exited).toEqual(CLEAN);
  expect(deaf.readyState).toBe(WebSocket.OPEN);
});

test("a REST API that never answers does not hold up the end", async () => {
  await using gateway = await startGatewayProcess({ HTTP_API_TIMEOUT: "2147483647" });
  const { process, api, wsUrl } = gateway;
  await using client = connect(wsUrl, api.users[0]?.token);
  await client.acknowledged;
  using gate = api.faults.hold({ method: "POST" });
  const sending = client.run(SendMessageDocument, { chatId: api.demoChatId, content: "never answered" });
  sending.catch(() => undefined);
  await gate.arrived();
  process.send("SIGTERM");
  expect(await process.exited).toEqual(CLEAN);
  await expect(sending).rejects.toBeDefined();
  expect(gate.held).toBe(1);
});
