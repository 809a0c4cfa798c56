import { print } from "graphql";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { parseConfig } from "../../src/config/config.ts";
import { startDevApi } from "../../src/dev/api.ts";
import { createGateway } from "../../src/gateway.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
  SetTypingDocument,
} from "../support/generated/graphql.ts";
import { openEventStream, postOperation } from "../support/http.ts";
import { startProcess, type RunningProcess } from "../support/process.ts";
import { rawConnection, rawRequest, rawUpgrade } from "../support/tcp.ts";

const EMBEDDING = fileURLToPath(import.meta.resolve("./embedding.ts"));
const CLEAN = { code: 0, signal: null };

/** The program of embedding.ts, in which a gateway is to be closed with all its doings. */
async function startProgram(environment: Readonly<Record<string, string>> = {}): Promise<RunningProcess> {
  const env = { PORT: "0", HOST: "127.0.0.1", DEV_API_FILE: ":memory:", DRAIN_WINDOW: "0", ...environment };
  return startProcess({ command: [process.execPath, EMBEDDING], env });
}

test("close() again gives the same promise", async () => {
  const config = parseConfig({ PORT: "0", DEV_API_FILE: ":memory:", LOG_LEVEL: "silent" });
  const gateway = await createGateway(config);
  const closed = gateway.close();
  expect(gateway.close()).toBe(closed);
  await closed;
  expect(gateway.close()).toBe(closed);
  await expect(fetch(gateway.url)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  expect(gateway.devApi).toBeDefined();
  await expect(fetch(gateway.devApi?.url ?? "")).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
});

test("gateways in one process do not hear of each other, and outlive each other", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  await using first = await startGateway({ HTTP_API_URL: api.url });
  await using second = await startGateway({ HTTP_API_URL: api.url });
  const [alice, bob, carol] = api.users;
  const chatId = api.demoChatId;
  await using here = connect(first.wsUrl, alice?.token);
  await using there = connect(second.wsUrl, bob?.token);
  await using messages = there.subscribe(MessageAddedDocument, { chatId });
  await using presence = there.subscribe(PresenceChangedDocument, { chatId });
  await there.run(ChatsDocument);
  await here.run(SendMessageDocument, { chatId, content: "here" });
  await using alsoThere = connect(second.wsUrl, carol?.token);
  await alsoThere.run(SendMessageDocument, { chatId, content: "there" });
  expect((await messages.next()).messageAdded.content).toBe("there");
  expect((await presence.next()).presenceChanged.user.id).toBe(carol?.id);
  await first.close();
  expect((await here.closed).code).toBe(1012);
  await alsoThere.run(SendMessageDocument, { chatId, content: "still there" });
  expect((await messages.next()).messageAdded.content).toBe("still there");
});

test("a gateway that could not start leaves nothing running", async () => {
  await using taken = await startGateway();
  const { port } = new URL(taken.url);
  await using program = await startProgram({ PORT: port });
  expect(await program.exited).toEqual({ code: 2, signal: null });
  expect(program.errors).toContain("EADDRINUSE");
  expect((await fetch(new URL("/health", taken.url))).status).toBe(200);
});

test("a gateway that is closed after a conversation leaves nothing running", async () => {
  await using program = await startProgram({ PRESENCE_GRACE: "2147483647", TYPING_TIMEOUT: "2147483647" });
  const url = await program.url();
  const wsUrl = url.replace(/^http/, "ws");
  await using client = connect(wsUrl, "alice-token");
  client.subscribe(MessageAddedDocument);
  const gone = connect(wsUrl, "bob-token");
  const { chats } = await gone.run(ChatsDocument);
  // A request has no connection whose end could stop it.
  const variables = { chatId: chats[0]?.id, isTyping: true };
  const typing = await postOperation(url, { query: print(SetTypingDocument), variables }, "bob-token");
  expect(typing.errors).toBeUndefined();
  await gone.client.dispose();
  await gone.closed;
  await using sse = await openEventStream(url, { query: print(PresenceChangedDocument) }, "carol-token");
  await client.run(ChatsDocument);
  program.type("close\n");
  expect((await client.closed).code).toBe(1012);
  expect(await sse.next()).toMatchObject({ data: { presenceChanged: { online: true } } });
  await program.logged("closed");
  expect(await program.exited).toEqual(CLEAN);
});

test("a gateway that is closed while clients do not care leaves nothing running", async () => {
  await using api = await startDevApi({ file: ":memory:" });
  await using program = await startProgram({
    HTTP_API_URL: api.url,
    HTTP_API_TIMEOUT: "2147483647",
    PRESENCE_GRACE: "2147483647",
    MAX_CONNECTIONS: "2",
  });
  const url = await program.url();
  const wsUrl = url.replace(/^http/, "ws");
  await using client = connect(wsUrl, api.users[0]?.token);
  await client.acknowledged;
  await using stack = new AsyncDisposableStack();
  const deaf = new WebSocket(wsUrl, "graphql-transport-ws");
  stack.defer(() => deaf.terminate());
  deaf.once("open", () =>
    deaf.send(JSON.stringify({ type: "connection_init", payload: { token: api.users[1]?.token } })),
  );
  await new Promise((resolve) => deaf.once("message", resolve));
  deaf.pause();

  // Nobody of these ever ends its own side.
  const [refused, tooMany, idle, slow] = [
    stack.use(await rawConnection(url)),
    stack.use(await rawConnection(url)),
    stack.use(await rawConnection(url)),
    stack.use(await rawConnection(url)),
  ];
  refused.send(rawUpgrade("/nowhere"));
  expect(await refused.received).toMatch(/^HTTP\/1\.1 404 /);
  const upgraded = new Promise((resolve) => tooMany.socket.once("data", resolve));
  tooMany.send(rawUpgrade());
  expect(await upgraded).toMatch(/^HTTP\/1\.1 101 /);
  slow.send(rawRequest("/health").slice(0, -2));
  await openEventStream(url, { query: print(PresenceChangedDocument) }, api.users[2]?.token);
  using gate = api.faults.hold({ path: /messages/ });
  void client.run(SendMessageDocument, { chatId: api.demoChatId, content: "hello" }).catch(() => undefined);
  await gate.arrived();

  program.type("close\n");
  await program.logged("closed");
  expect(await program.exited).toEqual(CLEAN);
  expect(idle.socket.writable).toBe(true);
});
