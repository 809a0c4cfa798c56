/** Subscriptions over SSE. */
import { print } from "graphql";
import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import {
  ChatsDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  SendMessageDocument,
  type MessageAddedSubscription,
} from "../support/generated/graphql.ts";
import { codesOf, fetchResult, openEventStream, postOperation, type HttpOperation } from "../support/http.ts";

const MESSAGES = { query: print(MessageAddedDocument) };

/** A transition of somebody's, as presenceChanged tells it. */
function presence(userId: string | undefined, online: boolean): object {
  return { presenceChanged: { user: { id: userId }, online } };
}

/** A subscription whose client leaves before it has an answer. */
function openAndLeave(url: string, operation: HttpOperation, token: string) {
  const leaving = new AbortController();
  const left = fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${token}` },
    body: JSON.stringify(operation),
    signal: leaving.signal,
  });
  return { left, leaving };
}

test("a message arrives, as it does over WebSocket", async () => {
  await using gateway = await startDiscreetGateway();
  const [alice, bob] = gateway.api.users;
  const chatId = gateway.api.demoChatId;
  await using sender = connect(gateway.wsUrl, alice?.token);
  await using stream = await openEventStream<MessageAddedSubscription>(gateway.url, MESSAGES, bob?.token);
  expect(stream.response.status).toBe(200);
  expect(stream.response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  for (const content of ["one", "two"]) {
    const { sendMessage } = await sender.run(SendMessageDocument, { chatId, content });
    expect((await stream.next()).data?.messageAdded).toEqual(sendMessage);
  }
});

test("a client that leaves ends its stream: its user goes offline, and nothing is left of it", async () => {
  await using gateway = await startDiscreetGateway({ PRESENCE_GRACE: "0" }, { statisticsIntervalMs: 20 });
  const [alice, bob] = gateway.api.users;
  await using watcher = connect(gateway.wsUrl, alice?.token);
  await using seen = watcher.subscribe(PresenceChangedDocument);
  await watcher.run(ChatsDocument);
  await using stream = await openEventStream(gateway.url, MESSAGES, bob?.token);
  expect(await seen.next()).toMatchObject(presence(bob?.id, true));
  await gateway.line({ msg: "statistics", sessions: 2, subscriptions: 2 });
  stream.abort();
  expect(await seen.next()).toMatchObject(presence(bob?.id, false));
  expect(await gateway.line({ msg: "statistics", sessions: 1 })).toMatchObject({ subscriptions: 1, tokens: 1 });
  expect((await watcher.run(ChatsDocument)).chats).not.toHaveLength(0);
});

test.each(["/auth/profile", "/chats"])(
  "a client that leaves while %s is still being asked leaves nothing behind",
  async (path) => {
    await using gateway = await startDiscreetGateway({ PRESENCE_GRACE: "0" }, { statisticsIntervalMs: 20 });
    const [alice, bob, carol] = gateway.api.users;
    await using watcher = connect(gateway.wsUrl, alice?.token);
    await using seen = watcher.subscribe(PresenceChangedDocument);
    await watcher.run(ChatsDocument);
    const token = bob?.token ?? "";
    using gate = gateway.api.faults.hold({ path, token });
    const { left, leaving } = openAndLeave(gateway.url, MESSAGES, token);
    await gate.arrived();
    leaving.abort();
    await expect(left).rejects.toThrow("aborted");
    // Answered over a connection that was opened after the other had gone.
    expect((await postOperation(gateway.url, { query: "{ me { id } }" }, alice?.token)).status).toBe(200);
    gate.release();
    await gateway.api.faults.requests.arrived(1, { path: "/chats", token });
    await using barrier = connect(gateway.wsUrl, carol?.token);
    await barrier.run(ChatsDocument);
    // Whatever Bob's would have brought comes before it, and after it.
    expect(await seen.next()).toMatchObject(presence(carol?.id, true));
    expect(await gateway.line({ msg: "statistics" })).toMatchObject({ sessions: 2, subscriptions: 1 });
  },
);

test("a client that leaves while its chat is still being asked for is let go when that is answered", async () => {
  await using gateway = await startDiscreetGateway({ PRESENCE_GRACE: "0" }, { statisticsIntervalMs: 20 });
  const { data, faults, users } = gateway.api;
  const [alice, bob] = users;
  const token = bob?.token ?? "";
  await using watcher = connect(gateway.wsUrl, alice?.token);
  await using seen = watcher.subscribe(PresenceChangedDocument);
  await watcher.run(ChatsDocument);
  // The chat is created after Bob's were listed, so that it is asked for by itself.
  using list = faults.hold({ path: "/chats", token, when: "processed" });
  using gate = faults.hold({ path: "/chats/new", token });
  const { left, leaving } = openAndLeave(gateway.url, { ...MESSAGES, variables: { chatId: "new" } }, token);
  await list.arrived();
  data.createChat({ id: "new", participants: [alice?.id ?? "", bob?.id ?? ""] });
  list.release();
  await gate.arrived();
  expect(await seen.next()).toMatchObject(presence(bob?.id, true));
  leaving.abort();
  await expect(left).rejects.toThrow("aborted");
  expect((await postOperation(gateway.url, { query: "{ me { id } }" }, alice?.token)).status).toBe(200);
  gate.release();
  expect(await seen.next()).toMatchObject(presence(bob?.id, false));
  expect(await gateway.line({ msg: "statistics", sessions: 1 })).toMatchObject({ subscriptions: 1 });
});

describe("without a valid token the stream has one result, UNAUTHENTICATED, and ends", () => {
  test.each([
    ["no token", undefined],
    ["a token that the REST API refuses", "refused-token"],
  ])("%s", async (_what, token) => {
    await using gateway = await startDiscreetGateway({}, { secrets: ["refused-token"] });
    await using stream = await openEventStream(gateway.url, MESSAGES, token);
    expect(codesOf((await stream.next()).errors)).toEqual(["UNAUTHENTICATED"]);
    await stream.completed();
  });
});

test("a token that is revoked in mid-stream ends the stream with UNAUTHENTICATED, and nobody else's", async () => {
  await using gateway = await startDiscreetGateway();
  const { api } = gateway;
  const [alice, bob] = api.users;
  await using control = connect(gateway.wsUrl, alice?.token);
  await using others = await openEventStream<MessageAddedSubscription>(gateway.url, MESSAGES, alice?.token);
  await using stream = await openEventStream<MessageAddedSubscription>(gateway.url, MESSAGES, bob?.token);
  const send = (content: string) => control.run(SendMessageDocument, { chatId: api.demoChatId, content });
  await send("before");
  expect((await stream.next()).data?.messageAdded.content).toBe("before");
  api.data.revokeToken(bob?.token ?? "");
  const { errors } = await postOperation(gateway.url, { query: "{ chats { id } }" }, bob?.token);
  expect(codesOf(errors)).toEqual(["UNAUTHENTICATED"]);
  expect(codesOf((await stream.next()).errors)).toEqual(["UNAUTHENTICATED"]);
  await stream.completed();
  await send("after");
  expect((await others.next()).data?.messageAdded.content).toBe("before");
  expect((await others.next()).data?.messageAdded.content).toBe("after");
});

test("a membership that ends in mid-stream ends the chat's stream with NOT_PARTICIPANT", async () => {
  await using gateway = await startDiscreetGateway();
  const { api } = gateway;
  const [alice, bob] = api.users;
  const operation = { ...MESSAGES, variables: { chatId: api.demoChatId } };
  await using stream = await openEventStream(gateway.url, operation, bob?.token);
  await using others = await openEventStream<MessageAddedSubscription>(gateway.url, operation, alice?.token);
  api.data.removeMember(api.demoChatId, bob?.id ?? "");
  const query = `{ chat(id: "${api.demoChatId}") { id } }`;
  expect(codesOf((await postOperation(gateway.url, { query }, bob?.token)).errors)).toEqual(["NOT_PARTICIPANT"]);
  expect(codesOf((await stream.next()).errors)).toEqual(["NOT_PARTICIPANT"]);
  await stream.completed();
  await using control = connect(gateway.wsUrl, alice?.token);
  await control.run(SendMessageDocument, { chatId: api.demoChatId, content: "on" });
  expect((await others.next()).data?.messageAdded.content).toBe("on");
});

test.each(["application/json", "application/graphql-response+json", "multipart/mixed", "*/*"])(
  "a subscription with Accept: %s is refused with 406, and nothing is opened for it",
  async (accept) => {
    await using gateway = await startDiscreetGateway({}, { statisticsIntervalMs: 20 });
    const [alice] = gateway.api.users;
    const { status, errors } = await fetchResult(gateway.url, {
      method: "POST",
      // multipart/mixed alone would have no form in which to be refused.
      headers: {
        accept: accept.startsWith("multipart") ? `${accept}, application/json` : accept,
        "content-type": "application/json",
        authorization: `Bearer ${alice?.token}`,
      },
      body: JSON.stringify(MESSAGES),
    });
    expect(status).toBe(406);
    expect(codesOf(errors)).toEqual(["BAD_USER_INPUT"]);
    expect(await gateway.line({ msg: "statistics" })).toMatchObject({ sessions: 0, subscriptions: 0 });
  },
);
