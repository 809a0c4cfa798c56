import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import {
  MarkReadDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { openEventStream } from "../support/sse.ts";

test("every subscription runs over SSE, a request each", async () => {
  await using gateway = await startGateway({ TYPING_TIMEOUT: "600000" });
  const { url, api } = gateway;
  const [alice, bob] = api.users;
  const chatId = api.demoChatId;
  await using friend = connect(gateway.wsUrl, alice?.token);
  await friend.run(SetTypingDocument, { chatId, isTyping: true });
  await using messages = await openEventStream(url, bob?.token, MessageAddedDocument);
  await using receipts = await openEventStream(url, bob?.token, ReadReceiptDocument, { chatId });
  await using typing = await openEventStream(url, bob?.token, TypingChangedDocument, { chatId });
  await using presence = await openEventStream(url, bob?.token, PresenceChangedDocument);

  expect(await presence.next()).toMatchObject({ data: { presenceChanged: { user: { id: alice?.id }, online: true } } });
  expect(await typing.next()).toMatchObject({ data: { typingChanged: { user: { id: alice?.id }, isTyping: true } } });
  const { sendMessage } = await friend.run(SendMessageDocument, { chatId, content: "Line\nbreaks: \u2028 and 👋" });
  expect(await messages.next()).toEqual({ data: { messageAdded: sendMessage } });
  expect(await typing.next()).toMatchObject({ data: { typingChanged: { isTyping: false } } });
  await using reader = connect(gateway.wsUrl, "carol-token");
  const { markRead } = await reader.run(MarkReadDocument, { chatId, messageId: sendMessage.id });
  expect(await receipts.next()).toEqual({ data: { readReceipt: markRead } });
});

test("a stream counts as being online, until its client leaves", async () => {
  await using gateway = await startGateway({ PRESENCE_GRACE: "0" });
  const [alice, bob] = gateway.api.users;
  await using friend = connect(gateway.wsUrl, bob?.token);
  await friend.acknowledged;
  await using presence = friend.subscribe(PresenceChangedDocument);
  const leaving = await openEventStream(gateway.url, alice?.token, MessageAddedDocument);
  expect((await presence.next()).presenceChanged).toMatchObject({ user: { id: alice?.id }, online: true });
  await leaving[Symbol.asyncDispose]();
  expect((await presence.next()).presenceChanged).toMatchObject({ user: { id: alice?.id }, online: false });
});

test("a gateway that stops ends its streams without completing them", async () => {
  await using gateway = await startGateway();
  await using messages = await openEventStream(gateway.url, "alice-token", MessageAddedDocument);
  await using typing = await openEventStream(gateway.url, "bob-token", TypingChangedDocument);
  const closing = gateway.close();
  await Promise.all([messages.ended, typing.ended]);
  await expect(closing).resolves.toBeUndefined();
});
