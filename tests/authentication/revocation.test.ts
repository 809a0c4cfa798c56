/** A token that the REST API stops accepting, found out by what is asked with it. */
import type { ClientOptions } from "graphql-ws";
import { describe, expect, test } from "vitest";
import { connect, ResultErrors } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import {
  ChatsDocument,
  MeDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
} from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";
import { Inbox } from "../support/inbox.ts";

test("every socket of the token is closed with 4403, and nobody else's", async () => {
  await using gateway = await startDiscreetGateway();
  const { api } = gateway;
  const [alice, bob] = api.users;
  const other = api.data.issueToken(alice?.id ?? "");
  await using asking = connect(gateway.wsUrl, alice?.token);
  await using quiet = connect(gateway.wsUrl, alice?.token);
  await using sameUser = connect(gateway.wsUrl, other);
  await using control = connect(gateway.wsUrl, bob?.token);
  await using messages = sameUser.subscribe(MessageAddedDocument);
  await Promise.all([asking, quiet, sameUser, control].map((client) => client.run(ChatsDocument)));
  api.data.revokeToken(alice?.token ?? "");
  const asked = asking.run(ChatsDocument);
  // The socket is closed in its place.
  await expect(asked).rejects.toMatchObject({ code: 4403 });
  expect(await asking.closed).toEqual({ code: 4403, reason: "Token refused" });
  expect(await quiet.closed).toEqual({ code: 4403, reason: "Token refused" });
  const { sendMessage } = await control.run(SendMessageDocument, { chatId: api.demoChatId, content: "still here" });
  expect((await messages.next()).messageAdded).toEqual(sendMessage);
});

test("a stock client comes back with what its connectionParams function gives next, its operations with it", async () => {
  await using gateway = await startDiscreetGateway();
  const { api } = gateway;
  const [alice, bob] = api.users;
  const next = api.data.issueToken(alice?.id ?? "");
  const tokens = [alice?.token, next];
  const connected = new Inbox<unknown>();
  await using control = connect(gateway.wsUrl, bob?.token);
  const options: Partial<ClientOptions> = {
    connectionParams: () => ({ token: tokens.shift() }),
    retryAttempts: 5,
    retryWait: async () => undefined,
  };
  await using client = connect(gateway.wsUrl, undefined, { ...options, on: { message: connected.put } });
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  const send = (content: string) => control.run(SendMessageDocument, { chatId: api.demoChatId, content });
  await send("before");
  expect((await messages.next()).messageAdded.content).toBe("before");
  api.data.revokeToken(alice?.token ?? "");
  // The very query that finds it out is answered, with the next token.
  expect((await client.run(ChatsDocument)).chats).not.toHaveLength(0);
  expect(await client.closed).toMatchObject({ code: 4403 });
  expect(api.faults.requests.count({ token: next, path: "/auth/profile" })).toBe(1);
  await send("after");
  expect((await messages.next()).messageAdded.content).toBe("after");
});

test("a revoked token does not come in again, though it was good a moment ago", async () => {
  await using gateway = await startDiscreetGateway();
  const { api } = gateway;
  const { token = "" } = api.users[0] ?? {};
  await using client = connect(gateway.wsUrl, token);
  await client.acknowledged;
  api.data.revokeToken(token);
  await expect(client.run(ChatsDocument)).rejects.toMatchObject({ code: 4403 });
  await using again = connect(gateway.wsUrl, token);
  expect(await again.closed).toMatchObject({ code: 4403 });
});

test("a socket that is just being taken in when its token is found to be revoked is closed as well", async () => {
  await using gateway = await startDiscreetGateway();
  const { data, demoChatId, faults, users } = gateway.api;
  const { token = "" } = users[0] ?? {};
  // The REST API has listed the chats, but the list has not arrived yet.
  using gate = faults.hold({ path: "/chats", token, when: "processed", times: 1 });
  await using client = connect(gateway.wsUrl, token);
  await gate.arrived();
  data.revokeToken(token);
  const query = `{ chat(id: "${demoChatId}") { id } }`;
  expect(codesOf((await postOperation(gateway.url, { query }, token)).errors)).toEqual(["UNAUTHENTICATED"]);
  gate.release();
  expect(await client.closed).toMatchObject({ code: 4403 });
});

test("the user whose sockets were closed goes offline", async () => {
  await using gateway = await startDiscreetGateway({ PRESENCE_GRACE: "0" });
  const { api } = gateway;
  const [alice, bob] = api.users;
  await using watcher = connect(gateway.wsUrl, bob?.token);
  await using seen = watcher.subscribe(PresenceChangedDocument);
  await watcher.run(ChatsDocument);
  await using client = connect(gateway.wsUrl, alice?.token);
  expect((await seen.next()).presenceChanged).toMatchObject({ user: { id: alice?.id }, online: true });
  api.data.revokeToken(alice?.token ?? "");
  await expect(client.run(ChatsDocument)).rejects.toMatchObject({ code: 4403 });
  expect((await seen.next()).presenceChanged).toMatchObject({ user: { id: alice?.id }, online: false });
});

describe("a 401 that /auth/profile does not confirm ends nothing, where /auth/profile", () => {
  test.each([
    ["accepts the token", undefined],
    ["answers 500", { status: 500 }],
    ["answers nonsense", { body: { unexpected: true } }],
  ])("%s", async (_what, answer) => {
    await using gateway = await startDiscreetGateway({ HTTP_API_RETRIES: "1" });
    const { faults, users, demoChatId } = gateway.api;
    const { id, token = "" } = users[0] ?? {};
    await using client = connect(gateway.wsUrl, token);
    await using messages = client.subscribe(MessageAddedDocument);
    await client.run(ChatsDocument);
    faults.answer({ status: 401 }, { path: "/chats", token, times: 1 });
    using profile = answer && faults.answer(answer, { path: "/auth/profile", token });
    const error: unknown = await client.run(ChatsDocument).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ResultErrors);
    expect(error).toMatchObject({ code: "UNAUTHENTICATED" });
    profile?.lift();
    // The same socket, whose client would not have come back, and its subscription.
    expect((await client.run(MeDocument)).me.id).toBe(id);
    const { sendMessage } = await client.run(SendMessageDocument, { chatId: demoChatId, content: "on" });
    expect((await messages.next()).messageAdded).toEqual(sendMessage);
  });
});
