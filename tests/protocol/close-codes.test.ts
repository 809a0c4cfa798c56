/** The rows of "Close codes" that a client's own frames bring about. A second client beside feels none of it. */
import { describe, expect, test } from "vitest";
import { connect, PERSISTENT } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { ChatsDocument } from "../support/generated/graphql.ts";
import { openAcknowledged, openRaw } from "../support/raw-socket.ts";

const SUBSCRIBE = { id: "1", type: "subscribe", payload: { query: "subscription { messageAdded { id } }" } };
const QUERY = { id: "2", type: "subscribe", payload: { query: "{ chats { id } }" } };

describe("a message that is not the protocol's closes the socket", () => {
  test.each<[what: string, frame: object | string | Buffer]>([
    ["no JSON", "hello"],
    ["nothing", ""],
    ["JSON that is no message", "[1]"],
    ["null", "null"],
    ["a message without a type", { id: "1" }],
    ["an unknown type", { type: "nonsense" }],
    ["a type of Object.prototype", { type: "constructor" }],
    ["a type of the protocol before this one", { type: "start", id: "1", payload: { query: "{ chats { id } }" } }],
    ["subscribe without an id", { type: "subscribe", payload: SUBSCRIBE.payload }],
    ["subscribe with an empty id", { ...SUBSCRIBE, id: "" }],
    ["subscribe without a payload", { type: "subscribe", id: "1" }],
    ["subscribe without a query", { ...SUBSCRIBE, payload: {} }],
    ["subscribe with variables that are none", { ...SUBSCRIBE, payload: { ...SUBSCRIBE.payload, variables: "x" } }],
    ["complete without an id", { type: "complete" }],
    ["connection_ack, which servers send", { type: "connection_ack" }],
    ["next, which servers send", { type: "next", id: "1", payload: { data: {} } }],
    ["error, which servers send", { type: "error", id: "1", payload: [{ message: "no" }] }],
    ["random bytes", Buffer.from([0, 159, 146, 150, 255, 254])],
    ["a JSON text cut in two", '{"type":"ping"'],
  ])("4400 after %s", async (_what, frame) => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await using raw = await openAcknowledged(gateway.wsUrl, bob?.token);
    raw.send(frame);
    expect(await raw.closed).toMatchObject({ code: 4400 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("4400 before connection_init as well", async () => {
    await using gateway = await startDiscreetGateway();
    await using control = connect(gateway.wsUrl, gateway.api.users[0]?.token);
    await using raw = await openRaw(gateway.wsUrl);
    raw.send({ type: "nonsense" });
    expect(await raw.closed).toMatchObject({ code: 4400 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test.each<[what: string, before: boolean]>([
    ["before connection_init", true],
    ["after connection_ack", false],
  ])("1009 after a message over MAX_PAYLOAD_SIZE %s, and not after one of just that size", async (_what, before) => {
    await using gateway = await startDiscreetGateway({ MAX_PAYLOAD_SIZE: "2000" });
    const token = gateway.api.users[0]?.token ?? "";
    await using control = connect(gateway.wsUrl, token);
    await using raw = before ? await openRaw(gateway.wsUrl) : await openAcknowledged(gateway.wsUrl, token);
    const ping = JSON.stringify({ type: "ping" });
    raw.send(ping.padEnd(2000));
    expect(await raw.next()).toEqual({ type: "pong" });
    raw.send(ping.padEnd(2001));
    expect(await raw.closed).toMatchObject({ code: 1009 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("a message that came with the bad one is not executed", async () => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await using raw = await openAcknowledged(gateway.wsUrl, bob?.token);
    const { requests } = gateway.api.faults;
    const asked = requests.count({ token: bob?.token ?? "" });
    raw.send("hello", QUERY);
    expect(await raw.closed).toMatchObject({ code: 4400 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
    expect(requests.count({ token: bob?.token ?? "" })).toBe(asked);
  });
});

describe("an operation before connection_ack", () => {
  test("closes with 4401 where connection_init was not sent", async () => {
    await using gateway = await startDiscreetGateway();
    await using control = connect(gateway.wsUrl, gateway.api.users[0]?.token);
    await using raw = await openRaw(gateway.wsUrl);
    raw.send(QUERY);
    expect(await raw.closed).toMatchObject({ code: 4401 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("is not allowed for by an Authorization header alone", async () => {
    await using gateway = await startDiscreetGateway();
    const authorization = `Bearer ${gateway.api.users[0]?.token}`;
    await using raw = await openRaw(gateway.wsUrl, { headers: { authorization } });
    raw.send(QUERY);
    expect(await raw.closed).toMatchObject({ code: 4401 });
  });

  test.each(["/auth/profile", "/chats"])("closes with 4401 while %s is still being asked", async (path) => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await control.acknowledged;
    using gate = gateway.api.faults.hold({ path, token: bob?.token ?? "" });
    await using raw = await openRaw(gateway.wsUrl);
    raw.send({ type: "connection_init", payload: { token: bob?.token } });
    await gate.arrived();
    raw.send(QUERY);
    expect(await raw.closed).toMatchObject({ code: 4401 });
    gate.release();
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });
});

describe("connection_init", () => {
  test("4408 where it does not come within CONNECTION_INIT_TIMEOUT", async () => {
    await using gateway = await startDiscreetGateway({ CONNECTION_INIT_TIMEOUT: "300" });
    await using control = connect(gateway.wsUrl, gateway.api.users[0]?.token, PERSISTENT);
    await control.run(ChatsDocument);
    await using raw = await openRaw(gateway.wsUrl);
    // Which is no connection_init.
    raw.send({ type: "ping" });
    expect(await raw.closed).toMatchObject({ code: 4408 });
    // The same time has passed for this one, which had sent it.
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("4429 where it comes twice", async () => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await using raw = await openAcknowledged(gateway.wsUrl, bob?.token);
    raw.send({ type: "connection_init", payload: { token: bob?.token } });
    expect(await raw.closed).toMatchObject({ code: 4429 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("4429 where it comes again while the first is still being asked about", async () => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await control.acknowledged;
    using gate = gateway.api.faults.hold({ path: "/auth/profile", token: bob?.token ?? "" });
    await using raw = await openRaw(gateway.wsUrl);
    raw.send({ type: "connection_init", payload: { token: bob?.token } });
    await gate.arrived();
    raw.send({ type: "connection_init", payload: { token: alice?.token } });
    expect(await raw.closed).toMatchObject({ code: 4429 });
    gate.release();
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });
});

describe("an operation id", () => {
  test("4409 where it is in use", async () => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await using raw = await openAcknowledged(gateway.wsUrl, bob?.token);
    raw.send(SUBSCRIBE, { ...QUERY, id: SUBSCRIBE.id });
    expect(await raw.closed).toMatchObject({ code: 4409 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("4409 where it is in use, and its own closing reason has no room for it", async () => {
    await using gateway = await startDiscreetGateway();
    await using raw = await openAcknowledged(gateway.wsUrl, gateway.api.users[0]?.token);
    const id = "\u00e9".repeat(128);
    raw.send({ ...SUBSCRIBE, id }, { ...QUERY, id });
    expect(await raw.closed).toMatchObject({ code: 4409 });
  });

  test("4409 where it is in use by an operation that waits for an earlier one to end", async () => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await using raw = await openAcknowledged(gateway.wsUrl, bob?.token);
    const unknown = gateway.api.data.createChat({ participants: [bob?.id ?? "", alice?.id ?? ""] }).id;
    using gate = gateway.api.faults.hold({ method: "GET", path: `/chats/${unknown}` });
    const query = `subscription { messageAdded(chatId: ${JSON.stringify(unknown)}) { id } }`;
    const subscribe = { ...SUBSCRIBE, payload: { query } };
    raw.send(subscribe);
    await gate.arrived(1);
    raw.send({ id: SUBSCRIBE.id, type: "complete" }, subscribe, subscribe);
    expect(await raw.closed).toMatchObject({ code: 4409 });
    gate.release();
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test.each([
    ["subscribe", { ...SUBSCRIBE, id: "x".repeat(129) }],
    ["complete", { type: "complete", id: "x".repeat(129) }],
  ])("4400 where that of %s has more than 128 characters", async (_type, message) => {
    await using gateway = await startDiscreetGateway();
    const [alice, bob] = gateway.api.users;
    await using control = connect(gateway.wsUrl, alice?.token);
    await using raw = await openAcknowledged(gateway.wsUrl, bob?.token);
    raw.send(message);
    expect(await raw.closed).toMatchObject({ code: 4400 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("may be used again after its operation is over, and be any text", async () => {
    await using gateway = await startDiscreetGateway();
    await using raw = await openAcknowledged(gateway.wsUrl, gateway.api.users[0]?.token);
    for (const id of ["1", "1", "__proto__", "constructor", "constructor"]) {
      raw.send({ ...QUERY, id });
      expect(await raw.next()).toMatchObject({ id, type: "next" });
      expect(await raw.next()).toEqual({ id, type: "complete" });
    }
  });
});

describe("the subprotocol", () => {
  test.each([["graphql-ws"], ["graphql-transport-ws-2"], [undefined]])("4406 for %s", async (protocol) => {
    await using gateway = await startDiscreetGateway();
    await using control = connect(gateway.wsUrl, gateway.api.users[0]?.token);
    const headers = protocol === undefined ? {} : { "sec-websocket-protocol": protocol };
    // By its own option ws would not take part in a handshake that does not agree on one.
    await using raw = await openRaw(gateway.wsUrl, { protocols: [], headers });
    expect(await raw.closed).toMatchObject({ code: 4406 });
    expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
  });

  test("graphql-transport-ws is chosen among several", async () => {
    await using gateway = await startDiscreetGateway();
    await using raw = await openRaw(gateway.wsUrl, { protocols: ["graphql-ws", "graphql-transport-ws"] });
    expect(raw.socket.protocol).toBe("graphql-transport-ws");
    raw.send({ type: "connection_init", payload: { token: gateway.api.users[0]?.token } });
    expect(await raw.next()).toMatchObject({ type: "connection_ack" });
  });
});
