/** What a hostile client, or a REST API that lies, must not bring about. */
import { parse } from "graphql";
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { startBystanders } from "../support/bystanders.ts";
import { connect } from "../support/client.ts";
import { errorIn } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatDocument,
  ChatsDocument,
  MessageAddedDocument,
  SendMessageDocument,
  SetTypingDocument,
} from "../support/generated/graphql.ts";
import { postOperation } from "../support/http.ts";
import { openAcknowledged, openRaw } from "../support/raw-socket.ts";
import { rawConnection, rawRequest } from "../support/tcp.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const NOT_PARTICIPANT = [{ extensions: { code: "NOT_PARTICIPANT" } }];
const MESSAGES = "subscription M($chatId: ID) { messageAdded(chatId: $chatId) { content } }";

test.each([
  ["a variable", "query ($v: Int!) { chats { messages(last: $v) { nodes { id } } } }", "x".repeat(60_000)],
  ["a part of a variable", "query ($v: ID!) { chat(id: $v) { id } }", { a: "x".repeat(60_000) }],
  ["an argument", `{ chats { messages(last: "${"x".repeat(40_000)}") { nodes { id } } } }`, undefined],
])("%s that is refused is not repeated at length", async (_what, query, v) => {
  await using gateway = await startGateway();
  const { errors } = await postOperation(gateway.url, { query, variables: { v } }, alice.token);
  expect(errors).toHaveLength(1);
  expect(JSON.stringify(errors).length).toBeLessThan(1500);
  await using client = connect(gateway.wsUrl, alice.token);
  const error = await errorIn(client.run(parse(query), { v }));
  expect(JSON.stringify(error).length).toBeLessThan(1500);
});

test("somebody removed is not admitted again on the strength of an earlier answer", async () => {
  await using gateway = await startGateway();
  await using removed = connect(gateway.wsUrl, alice.token);
  await using witness = connect(gateway.wsUrl, bob.token);
  await using running = removed.subscribe(MessageAddedDocument, { chatId: shop });
  // Over the same token, so that there is an answer to remember.
  await removed.run(SetTypingDocument, { chatId: shop, isTyping: true });
  await removed.run(ChatsDocument);
  gateway.api.data.removeMember(shop, alice.id);
  await witness.run(ChatsDocument);
  expect(await running.ended).toMatchObject(NOT_PARTICIPANT);
  await using again = removed.subscribe(MessageAddedDocument, { chatId: shop });
  expect(await again.ended).toMatchObject(NOT_PARTICIPANT);
  await using elsewhere = removed.subscribe(MessageAddedDocument);
  await removed.run(ChatsDocument);
  await witness.run(SendMessageDocument, { chatId: shop, content: "secret" });
  await witness.run(SendMessageDocument, { chatId: team, content: "for all" });
  expect((await elsewhere.next()).messageAdded.content).toBe("for all");
});

test("somebody removed who comes back is not a member because of a list from before", async () => {
  await using gateway = await startGateway();
  await using witness = connect(gateway.wsUrl, bob.token);
  await using removed = connect(gateway.wsUrl, alice.token);
  await removed.acknowledged;
  gateway.api.data.removeMember(shop, alice.id);
  expect(await errorIn(removed.run(ChatDocument, { id: shop }))).toMatchObject(NOT_PARTICIPANT[0] ?? {});
  await using back = connect(gateway.wsUrl, alice.token);
  expect((await back.acknowledged)["chatIds"]).not.toContain(shop);
  await using toAll = back.subscribe(MessageAddedDocument);
  await back.run(ChatsDocument);
  await witness.run(SendMessageDocument, { chatId: shop, content: "secret" });
  await witness.run(SendMessageDocument, { chatId: team, content: "for all" });
  expect((await toAll.next()).messageAdded.content).toBe("for all");
});

test("an operation id that is used again while its first operation is being admitted doubles nothing", async () => {
  await using gateway = await startGateway();
  await using control = connect(gateway.wsUrl, bob.token);
  await control.acknowledged;
  await using socket = await openAcknowledged(gateway.wsUrl, alice.token);
  const unknown = gateway.api.data.createChat({ participants: [alice.id, bob.id] }).id;
  using gate = gateway.api.faults.hold({ method: "GET", path: `/chats/${unknown}` });
  const subscribe = { id: "one", type: "subscribe", payload: { query: MESSAGES, variables: { chatId: unknown } } };
  for (let count = 0; count < 20; count++) socket.send(subscribe, { id: "one", type: "complete" });
  socket.send(subscribe);
  await gate.arrived(1);
  gate.release();
  // Answered when those before it are: they wait for one another.
  socket.send({ id: "after", type: "subscribe", payload: { query: "{ chats { id } }" } });
  for (;;) {
    const message = await socket.next();
    if (message.id === "after" && message.type === "complete") break;
  }
  await control.run(ChatDocument, { id: unknown });
  await control.run(SendMessageDocument, { chatId: unknown, content: "first" });
  await control.run(SendMessageDocument, { chatId: unknown, content: "second" });
  const contents = [await socket.next(), await socket.next()].map(({ id, payload }) => [id, payload]);
  expect(contents).toEqual([
    ["one", { data: { messageAdded: { content: "first" } } }],
    ["one", { data: { messageAdded: { content: "second" } } }],
  ]);
});

test("from a client that does not read nothing more is read", async () => {
  await using gateway = await startGateway({ MAX_SEND_BUFFER: "16384", HEARTBEAT_INTERVAL: "1000" });
  await using others = await startBystanders(gateway.wsUrl);
  await using flooder = await openRaw(gateway.wsUrl);
  flooder.socket.pause();
  const ping = JSON.stringify({ type: "ping", payload: { filler: "x".repeat(60_000) } });
  let taken = 0;
  for (let count = 0; count < 600; count++) flooder.socket.send(ping, (error) => (taken += error ? 0 : 1));
  // Its answers fill the buffers of both sides; what it sends then stays with it, until it is taken for dead.
  await new Promise((resolve) => flooder.socket.once("close", resolve));
  expect(taken).toBeLessThan(450);
  expect(await others.talk(3)).toEqual(others.sent);
});

test("a payload nested too deeply to be sent back is the client's fault", async () => {
  await using gateway = await startGateway();
  await using others = await startBystanders(gateway.wsUrl);
  await using socket = await openRaw(gateway.wsUrl);
  socket.send(`{"type":"ping","payload":{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}}`);
  expect((await socket.closed).code).toBe(4400);
  expect(await others.talk(3)).toEqual(others.sent);
  expect(gateway.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

test.each(["[", "a b", "x:99999"])("a request for the host %j is refused without a word of where", async (host) => {
  await using gateway = await startGateway();
  await using connection = await rawConnection(gateway.url);
  connection.send(rawRequest("/graphql?query={__typename}", { host, connection: "close" }));
  const answer = await connection.received;
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).not.toContain("node_modules");
});

test("an answer of the REST API about another chat than the one asked for is believed by nobody", async () => {
  await using gateway = await startGateway();
  await using reader = connect(gateway.wsUrl, carol.token);
  await using received = reader.subscribe(MessageAddedDocument);
  await reader.run(ChatsDocument);
  await using sender = connect(gateway.wsUrl, alice.token);
  const message = gateway.api.data.addMessage({ chatId: team, senderId: alice.id, content: "meant for the shop" });
  const fault = gateway.api.faults.answer({ status: 201, body: { message } }, { method: "POST", times: 1 });
  const error = await errorIn(sender.run(SendMessageDocument, { chatId: shop, content: "meant for the shop" }));
  expect(error).toMatchObject({ extensions: { code: "UPSTREAM_UNAVAILABLE" } });
  fault.lift();
  await sender.run(SendMessageDocument, { chatId: team, content: "for all" });
  expect((await received.next()).messageAdded.content).toBe("for all");
});

test("one user's flood of questions leaves room for another's", async () => {
  await using gateway = await startGateway();
  await using flooder = connect(gateway.wsUrl, alice.token);
  await using second = connect(gateway.wsUrl, alice.token);
  await using control = connect(gateway.wsUrl, bob.token);
  await using others = await startBystanders(gateway.wsUrl);
  await Promise.all([flooder.acknowledged, second.acknowledged, control.acknowledged]);
  using gate = gateway.api.faults.hold({ token: alice.token });
  // More than the connections that there are to the REST API.
  const floods = Array.from({ length: 180 }, async (_, index) =>
    (index % 2 ? flooder : second).run(ChatDocument, { id: `chat-${index}` }).catch((error: unknown) => error),
  );
  await gate.arrived(10);
  expect((await control.run(ChatsDocument)).chats.length).toBeGreaterThan(0);
  expect(await others.talk(3)).toEqual(others.sent);
  gate.release();
  await Promise.all(floods);
});
