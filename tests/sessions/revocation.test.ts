/** What ends a session takes effect in that moment, whatever its client does and however much is under way. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { codesOf, openEventStream } from "../support/http.ts";
import { watchServerSockets } from "../support/server-sockets.ts";
import {
  CLOSED,
  alice,
  bob,
  CHATS,
  EASILY_LAGGING,
  chatOf,
  contentOf,
  deafen,
  messages,
  nextContent,
  send,
  startScene,
  team,
} from "./scene.ts";

const SIGNED_OUT = { type: "user.signed_out", data: { userId: alice.id } } as const;

/** A message that the backend tells of. */
function told(id: string, content: string) {
  const createdAt = new Date().toISOString();
  const message = { id, chatId: team, senderId: bob.id, senderName: bob.name, content, createdAt };
  return { type: "message.created", data: { message } } as const;
}

test("a client that does not answer the close and goes on is not heard, gets nothing, and is cut off", async () => {
  using servers = watchServerSockets();
  await using scene = await startScene();
  await using hostile = await scene.open(alice.token);
  await using control = await scene.open(bob.token);
  const controlled = control.start(messages());
  hostile.start(messages());
  await Promise.all([hostile, control].map((each) => each.run(CHATS)));
  const cut = once(servers.of(hostile.transport), "close");
  const before = hostile.messages.length;
  const isTold = deafen(hostile.socket);
  await scene.tell(SIGNED_OUT);
  await isTold;
  const requests = scene.api.faults.requests.count({ token: alice.token });
  const operations = [
    send(team, "late"),
    { query: `mutation { markChatRead(chatId: "${team}") { readAt } }` },
    { query: `mutation { setTyping(chatId: "${team}", isTyping: true) { isTyping } }` },
    { query: `mutation { refreshToken(token: "${scene.issue(alice.id)}") { id } }` },
    messages(),
    CHATS,
  ];
  for (let round = 0; round < 20; round++) {
    for (const [index, payload] of operations.entries()) {
      hostile.socket.send(JSON.stringify({ id: `late-${round}-${index}`, type: "subscribe", payload }));
    }
    hostile.socket.send(JSON.stringify({ type: "ping" }));
    await control.run(send(team, `on ${round}`));
    expect(await nextContent(controlled)).toBe(`on ${round}`);
  }
  // The gateway waits for the closing handshake, but not for ever.
  await cut;
  expect(await hostile.closed).toEqual(CLOSED.signedOut);
  expect(hostile.messages).toHaveLength(before);
  expect(scene.api.faults.requests.count({ token: alice.token })).toBe(requests);
  expect(scene.api.faults.requests.count({ method: "POST" })).toBe(20);
});

describe("mutations behind one that the REST API is at are not executed after the end,", () => {
  test("the fields of one operation", async () => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const controlled = control.start(messages());
    await control.run(CHATS);
    using gate = scene.api.faults.hold({ method: "POST", token: alice.token });
    const field = (name: string): string => `${name}: sendMessage(chatId: "${team}", content: "${name}") { id }`;
    const read = `markChatRead(chatId: "${team}") { readAt }`;
    client.start({ query: `mutation { ${field("first")} ${field("second")} ${read} ${field("third")} }` });
    await gate.arrived();
    await scene.tell(SIGNED_OUT);
    expect(await client.closed).toEqual(CLOSED.signedOut);
    gate.release();
    expect(await nextContent(controlled)).toBe("first");
    await control.run(send(team, "barrier"));
    expect(await nextContent(controlled)).toBe("barrier");
    expect(scene.writes(alice.token)).toBe(1);
  });

  test("those of equal clientMessageId, and those that arrive in the same turn as the end", async () => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const controlled = control.start(messages());
    await control.run(CHATS);
    using gate = scene.api.faults.hold({ method: "POST", token: alice.token });
    const same = { query: `mutation { sendMessage(chatId: "${team}", content: "x", clientMessageId: "c") { id } }` };
    for (let times = 0; times < 5; times++) client.start(same);
    await gate.arrived();
    await scene.tell(SIGNED_OUT);
    for (let times = 0; times < 5; times++) client.start(send(team, "late"));
    expect(await client.closed).toEqual(CLOSED.signedOut);
    gate.release();
    expect(await nextContent(controlled)).toBe("x");
    await control.run(send(team, "barrier"));
    expect(await nextContent(controlled)).toBe("barrier");
    expect(scene.writes(alice.token)).toBe(1);
  });

  test("typing in a chat that the REST API is asked for", async () => {
    await using scene = await startScene({ TYPING_TIMEOUT: "600000" });
    await using client = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const { id: chatId } = scene.api.data.createChat({ participants: [alice.id, bob.id] });
    using gate = scene.api.faults.hold({ path: `/chats/${chatId}`, token: alice.token });
    client.start({ query: `mutation { setTyping(chatId: "${chatId}", isTyping: true) { isTyping } }` });
    await gate.arrived();
    const controlled = control.start({
      query: "subscription ($chatId: ID) { typingChanged(chatId: $chatId) { user { id } } }",
      variables: { chatId },
    });
    await control.run(CHATS);
    await scene.tell(SIGNED_OUT);
    expect(await client.closed).toEqual(CLOSED.signedOut);
    gate.release();
    await using again = await scene.open(bob.token);
    await again.run(CHATS);
    await again.run({ query: `mutation { setTyping(chatId: "${chatId}", isTyping: true) { isTyping } }` });
    await scene.tell({ type: "chat.deleted", data: { chatId } });
    await controlled.ended;
    expect(controlled.all).toEqual([]);
  });
});

describe("what is published in the turn of the end, and before it, does not go out any more", () => {
  test.each([
    ["as it is", "false"],
    ["compressed", "true"],
  ])("%s", async (_how, COMPRESSION) => {
    await using scene = await startScene({ COMPRESSION });
    await using client = await scene.open(alice.token);
    await using control = await scene.open(bob.token);
    const controlled = control.start(messages());
    client.start(messages());
    await Promise.all([client, control].map((each) => each.run(CHATS)));
    expect(client.socket.extensions.includes("permessage-deflate")).toBe(COMPRESSION === "true");
    const before = client.messages.length;
    const long = "x".repeat(5000);
    await scene.tellAtOnce(told("m1", long), told("m2", "short"), SIGNED_OUT);
    for (const content of [long, "short"]) expect(await nextContent(controlled)).toBe(content);
    await client.closed;
    expect(client.messages).toHaveLength(before);
  });

  test("but reaches who is removed from a chat only thereafter", async () => {
    await using scene = await startScene();
    await using client = await scene.open(alice.token);
    const received = client.start(messages());
    await client.run(CHATS);
    const removal = { type: "chat.updated", data: { chat: chatOf(team, [bob]) } } as const;
    await scene.tellAtOnce(told("m1", "before"), removal, told("m2", "a secret"));
    expect(await nextContent(received)).toBe("before");
    await client.run(CHATS);
    expect(received.all).toHaveLength(1);
  });
});

test("a reader of SSE that lags is not given what waits for it, but the reason", async () => {
  await using scene = await startScene({ MAX_MESSAGE_SIZE: "200000", MAX_PAYLOAD_SIZE: "1000000" });
  await using stream = await openEventStream<{ messageAdded: { content: string } }>(scene.url, messages(), alice.token);
  await using control = await scene.open(bob.token);
  const controlled = control.start(messages());
  await control.run(CHATS);
  // Far more than the operating systems take for a reader.
  const sent = 75;
  const content = "x".repeat(200_000);
  for (let count = 0; count < sent; count++) {
    await control.run(send(team, content));
    await controlled.next();
  }
  await scene.tell(SIGNED_OUT);
  let received = 0;
  let result = await stream.next();
  for (; !result.errors; result = await stream.next()) received++;
  expect(codesOf(result.errors)).toEqual(["UNAUTHENTICATED"]);
  await stream.completed();
  expect(received).toBeLessThan(sent);
  await control.run(send(team, "on"));
  expect(await nextContent(controlled)).toBe("on");
});

test("a reader that lags gets nothing of what had not left, and another who lags gets everything", async () => {
  using servers = watchServerSockets();
  await using scene = await startScene(EASILY_LAGGING);
  await using slow = await scene.open(alice.token);
  await using control = await scene.open(bob.token);
  await using sender = await scene.open(bob.token);
  const received = slow.start(messages());
  const controlled = control.start(messages());
  await Promise.all([slow, control].map((each) => each.run(CHATS)));
  const [slowServer, controlServer] = [slow, control].map((each) => servers.of(each.transport));
  for (const { socket } of [slow, control]) socket.pause();
  const sent: string[] = [];
  const isLagging = (): boolean =>
    [slowServer, controlServer].every((server) => (server?.writableLength ?? 0) > 16_384);
  const content = "x".repeat(100_000);
  // Some more, which is in the log alone.
  for (let more = 0; more < 5; more += isLagging() ? 1 : 0) {
    sent.push(`${sent.length} ${content}`);
    await sender.run(send(team, sent.at(-1) ?? ""));
  }
  const { bytesWritten = 0 } = slowServer ?? {};
  await scene.tell(SIGNED_OUT);
  expect(slowServer?.destroyed).toBe(true);
  await sender.run(send(team, "barrier"));
  for (const { socket } of [slow, control]) socket.resume();
  // A client that has not read for a while is not given the reason.
  expect(await slow.closed).toEqual({ code: 1006, reason: "" });
  expect(slow.transport.bytesRead).toBeLessThan(bytesWritten);
  const got = received.all.map((payload) => contentOf(payload));
  expect(got).toEqual(sent.slice(0, got.length));
  expect(got.length).toBeLessThan(sent.length - 4);
  for (const each of [...sent, "barrier"]) expect(await nextContent(controlled)).toBe(each);
});

test("a connection that is just being taken in when its user signs out is closed as well", async () => {
  await using scene = await startScene();
  await using control = await scene.open(bob.token);
  for (const path of ["/auth/profile", "/chats"]) {
    const token = scene.issue(alice.id);
    using gate = scene.api.faults.hold({ path, token, when: "processed", times: 1 });
    const opening = scene.open(token);
    await gate.arrived();
    await scene.tell(SIGNED_OUT);
    gate.release();
    await expect(opening).rejects.toThrow("closed");
    // Nor is what the REST API said before believed of the next one.
    await using again = await scene.open(token);
    expect(scene.api.faults.requests.count({ path: "/auth/profile", token })).toBe(2);
    await again.run(send(team, "asked anew"));
  }
  await control.run(send(team, "on"));
});

test("a refusal that a new connection meets ends those that are there", async () => {
  await using scene = await startScene();
  const token = scene.issue(alice.id);
  await using client = await scene.open(token);
  // From now on nothing is known of the token.
  const forgotten = scene.line({ msg: "a session could not be checked" });
  scene.api.faults.unavailable({ path: "/auth/profile", token, times: 1 });
  scene.clock.advanceToNext();
  await forgotten;
  scene.api.data.revokeToken(token);
  await expect(scene.open(token)).rejects.toThrow("closed");
  expect(await client.closed).toEqual(CLOSED.tokenRefused);
});
