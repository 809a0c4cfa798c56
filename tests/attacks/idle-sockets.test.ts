/** Sockets that say nothing, or do not say who they are, in numbers. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, PERSISTENT } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { openRaw } from "../support/raw-socket.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop } = DEMO_CHATS;

test("sockets that say nothing keep nobody out, however many there are", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS: "10", CONNECTION_INIT_TIMEOUT: "600000" });
  await using listener = connect(gateway.wsUrl, bob.token);
  await using received = listener.subscribe(MessageAddedDocument, { chatId: shop });
  await using sender = connect(gateway.wsUrl, alice.token);
  await Promise.all([listener.acknowledged, sender.acknowledged]);
  await using stack = new AsyncDisposableStack();
  const idle = [];
  for (let count = 0; count < 30; count++) idle.push(stack.use(await openRaw(gateway.wsUrl)));
  // The oldest make room for the others.
  expect(await idle[0]?.closed).toEqual({ code: 1013, reason: "Too many connections" });
  await using newcomer = connect(gateway.wsUrl, carol.token);
  expect((await newcomer.run(MeDocument)).me.id).toBe(carol.id);
  await sender.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await received.next()).messageAdded.content).toBe("hello");
  expect(idle.filter(({ socket }) => socket.readyState === socket.OPEN).length).toBeLessThanOrEqual(8);
});

test("clients whose users are being found out leave places for those who are known", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS: "10", TRUST_PROXY: "1" });
  await using control = connect(gateway.wsUrl, alice.token);
  await control.acknowledged;
  await using stack = new AsyncDisposableStack();
  const gate = gateway.api.faults.hold({ path: "/auth/profile" });
  const waiting = [];
  for (let count = 0; count < 8; count++) {
    const socket = stack.use(await openRaw(gateway.wsUrl));
    socket.send({ type: "connection_init", payload: { token: `nobody-${count}` } });
    waiting.push(socket);
  }
  await gate.arrived(8);
  await using late = await openRaw(gateway.wsUrl);
  expect(await late.closed).toEqual({ code: 1013, reason: "Too many connections" });
  expect((await control.run(MeDocument)).me.id).toBe(alice.id);
  gate.release();
  for (const { closed } of waiting) expect((await closed).code).toBe(4403);
  await using newcomer = connect(gateway.wsUrl, bob.token, PERSISTENT);
  expect((await newcomer.run(MeDocument)).me.id).toBe(bob.id);
});
