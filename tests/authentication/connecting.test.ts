/** What happens between connection_init and connection_ack, while the REST API is being asked. */
import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import {
  ChatsDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { openRaw } from "../support/raw-socket.ts";

const STATISTICS = { statisticsIntervalMs: 20 };

describe.each(["/auth/profile", "/chats"])("a socket that is gone before %s has answered", (path) => {
  test.each<[how: string, leave: "close" | "terminate"]>([
    ["closed", "close"],
    ["cut", "terminate"],
  ])("%s, leaves nothing behind", async (_how, leave) => {
    await using gateway = await startDiscreetGateway({ PRESENCE_GRACE: "0" }, STATISTICS);
    const { faults, users } = gateway.api;
    const [alice, bob, carol] = users;
    const token = bob?.token ?? "";
    await using watcher = connect(gateway.wsUrl, alice?.token);
    await using seen = watcher.subscribe(PresenceChangedDocument);
    await watcher.run(ChatsDocument);
    using gate = faults.hold({ path, token });
    await using raw = await openRaw(gateway.wsUrl);
    raw.send({ type: "connection_init", payload: { token } });
    await gate.arrived();
    expect(await gateway.line({ msg: "statistics" })).toMatchObject({ connections: 2, sessions: 1 });
    raw.socket[leave]();
    await raw.closed;
    await gateway.line({ msg: "statistics", connections: 1 });
    gate.release();
    // Carol is asked about in two requests more, and known to be online after that.
    await using barrier = connect(gateway.wsUrl, carol?.token);
    await barrier.run(ChatsDocument);
    expect((await seen.next()).presenceChanged).toMatchObject({ user: { id: carol?.id }, online: true });
    expect(seen.waiting).toEqual([]);
    // Nobody asks for the chats of a socket that is gone.
    expect(faults.requests.count({ path: "/chats", token })).toBe(path === "/chats" ? 1 : 0);
    expect(await gateway.line({ msg: "statistics" })).toMatchObject({
      connections: 2,
      sessions: 2,
      tokens: 2,
      subscriptions: 1,
    });
  });

  test("does not take along another of the same token that waits for the same answer", async () => {
    await using gateway = await startDiscreetGateway({ PRESENCE_GRACE: "0" }, STATISTICS);
    const { faults, users } = gateway.api;
    const { id, token = "" } = users[1] ?? {};
    using gate = faults.hold({ path, token });
    await using leaving = await openRaw(gateway.wsUrl);
    leaving.send({ type: "connection_init", payload: { token } });
    await gate.arrived();
    await using staying = connect(gateway.wsUrl, token);
    await gateway.line({ msg: "statistics", connections: 2 });
    leaving.socket.close();
    await leaving.closed;
    await gateway.line({ msg: "statistics", connections: 1 });
    gate.release();
    expect(await staying.acknowledged).toMatchObject({ userId: id });
    expect((await staying.run(ChatsDocument)).chats).not.toHaveLength(0);
    expect(await gateway.line({ msg: "statistics" })).toMatchObject({ connections: 1, sessions: 1, tokens: 1 });
  });
});

test("fifty sockets with one token that connect at once cause one request for the profile and one for the chats", async () => {
  await using gateway = await startDiscreetGateway({}, STATISTICS);
  const { faults, users, demoChatId } = gateway.api;
  const [alice, bob] = users;
  const token = alice?.token ?? "";
  using gate = faults.hold({ path: "/auth/profile", token });
  await using sockets = new AsyncDisposableStack();
  const clients = Array.from({ length: 50 }, () => sockets.use(connect(gateway.wsUrl, token)));
  await gateway.line({ msg: "statistics", connections: 50 });
  await gate.arrived();
  gate.release();
  for (const client of clients) expect(await client.acknowledged).toMatchObject({ userId: alice?.id });
  expect(faults.requests.count({ path: "/auth/profile" })).toBe(1);
  expect(faults.requests.count({ path: "/chats" })).toBe(1);
  // Each of them is a connection of its own for all that.
  const streams = clients.map((client) => sockets.use(client.subscribe(MessageAddedDocument)));
  await Promise.all(clients.map((client) => client.run(ChatsDocument)));
  await using control = connect(gateway.wsUrl, bob?.token);
  const { sendMessage } = await control.run(SendMessageDocument, { chatId: demoChatId, content: "to all" });
  for (const stream of streams) expect((await stream.next()).messageAdded).toEqual(sendMessage);
  expect(await gateway.line({ msg: "statistics" })).toMatchObject({ sessions: 51, tokens: 2, subscriptions: 50 });
});

test("fifty sockets with one refused token cause one request, and all are closed with 4403", async () => {
  await using gateway = await startDiscreetGateway({}, { secrets: ["refused-token"], ...STATISTICS });
  const { faults, users } = gateway.api;
  await using control = connect(gateway.wsUrl, users[0]?.token);
  await control.acknowledged;
  using gate = faults.hold({ path: "/auth/profile", token: "refused-token" });
  await using sockets = new AsyncDisposableStack();
  const opened = await Promise.all(Array.from({ length: 50 }, () => openRaw(gateway.wsUrl)));
  for (const raw of opened) {
    sockets.use(raw).send({ type: "connection_init", payload: { token: "refused-token" } }, { type: "ping" });
    // Answered only after connection_init has been taken in.
    expect(await raw.next()).toEqual({ type: "pong" });
  }
  await gate.arrived();
  gate.release();
  for (const raw of opened) expect(await raw.closed).toMatchObject({ code: 4403 });
  expect(faults.requests.count({ token: "refused-token" })).toBe(1);
  expect((await control.run(ChatsDocument)).chats).not.toHaveLength(0);
});
