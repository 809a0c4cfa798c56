import { describe, expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatsChangedDocument,
  ChatsDocument,
  MarkReadDocument,
  MeDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";
import { startRelay } from "../support/relay.ts";
import { STOCK_CLIENTS } from "./stock-clients.ts";

/** Nobody stops typing, or goes offline, but by what a test does. */
const PATIENT = { TYPING_TIMEOUT: "600000", PRESENCE_GRACE: "600000" };

describe.each(STOCK_CLIENTS)("$name", ({ connect: connectStock }) => {
  test("holds a conversation with typed documents", async () => {
    await using gateway = await startGateway(PATIENT);
    const [alice, bob, carol] = gateway.api.users;
    const chatId = gateway.api.demoChatId;
    await using friend = connect(gateway.wsUrl, alice?.token);
    await friend.acknowledged;
    await using client = connectStock({ ...gateway, token: () => String(bob?.token) });

    expect((await client.run(MeDocument)).me).toMatchObject({ id: bob?.id, email: bob?.email });
    expect((await client.run(ChatsDocument)).chats.map((chat) => chat.id)).toContain(chatId);
    const messages = client.subscribe(MessageAddedDocument);
    const typing = client.subscribe(TypingChangedDocument, { chatId });
    const presence = client.subscribe(PresenceChangedDocument);
    const receipts = client.subscribe(ReadReceiptDocument, { chatId });
    await client.settled();

    expect((await presence.next()).presenceChanged).toMatchObject({ user: { id: alice?.id }, online: true });
    await using another = connect(gateway.wsUrl, carol?.token);
    expect((await presence.next()).presenceChanged).toMatchObject({ user: { id: carol?.id }, online: true });

    await another.run(SetTypingDocument, { chatId, isTyping: true });
    expect((await typing.next()).typingChanged).toMatchObject({ user: { id: carol?.id }, isTyping: true });
    const { sendMessage: theirs } = await another.run(SendMessageDocument, { chatId, content: "Are you there?" });
    expect((await messages.next()).messageAdded).toMatchObject(theirs);
    expect((await typing.next()).typingChanged).toMatchObject({ user: { id: carol?.id }, isTyping: false });

    await using friendsMessages = friend.subscribe(MessageAddedDocument, { chatId });
    await using friendsReceipts = friend.subscribe(ReadReceiptDocument, { chatId });
    await friend.run(ChatsDocument);
    const { markRead } = await client.run(MarkReadDocument, { chatId, messageId: theirs.id });
    expect(markRead).toMatchObject({ messageId: theirs.id, reader: { id: bob?.id, name: bob?.name } });
    expect((await receipts.next()).readReceipt).toEqual(markRead);
    expect(markRead).toMatchObject((await friendsReceipts.next()).readReceipt);

    const clientMessageId = crypto.randomUUID();
    const { sendMessage: own } = await client.run(SendMessageDocument, { chatId, content: " I am. ", clientMessageId });
    expect(own).toMatchObject({ content: "I am.", clientMessageId, sender: { id: bob?.id } });
    expect((await messages.next()).messageAdded).toEqual(own);
    expect(own).toMatchObject((await friendsMessages.next()).messageAdded);
  });

  test("goes on after its socket was cut, with the present state first, and nobody else notices", async () => {
    await using gateway = await startGateway(PATIENT);
    const [alice, bob, carol] = gateway.api.users;
    const chatId = gateway.api.demoChatId;
    await using relay = await startRelay(gateway.wsUrl);
    await using friend = connect(gateway.wsUrl, alice?.token);
    await friend.run(SetTypingDocument, { chatId, isTyping: true });
    await using client = connectStock({ url: gateway.url, wsUrl: relay.url, token: () => String(bob?.token) });
    const messages = client.subscribe(MessageAddedDocument, { chatId });
    const typing = client.subscribe(TypingChangedDocument);
    const presence = client.subscribe(PresenceChangedDocument, { chatId });
    const receipts = client.subscribe(ReadReceiptDocument);
    const chats = client.subscribe(ChatsChangedDocument);
    await client.settled();
    expect((await chats.next()).chatsChanged.isSnapshot).toBe(true);
    const present = [
      { presenceChanged: { user: { id: alice?.id }, online: true } },
      { typingChanged: { chatId, user: { id: alice?.id }, isTyping: true } },
    ];
    expect([await presence.next(), await typing.next()]).toMatchObject(present);
    await using friendsPresence = friend.subscribe(PresenceChangedDocument);
    await using friendsMessages = friend.subscribe(MessageAddedDocument, { chatId });
    expect((await friendsPresence.next()).presenceChanged.user.id).toBe(bob?.id);

    relay.cut();
    expect([await presence.next(), await typing.next()]).toMatchObject(present);
    expect(relay.accepted).toBe(2);
    expect((await chats.next()).chatsChanged.isSnapshot).toBe(true);
    await client.settled();

    const { sendMessage } = await friend.run(SendMessageDocument, { chatId, content: "Still there?" });
    expect((await messages.next()).messageAdded).toMatchObject(sendMessage);
    expect((await typing.next()).typingChanged.isTyping).toBe(false);
    await client.run(MarkReadDocument, { chatId, messageId: sendMessage.id });
    expect((await receipts.next()).readReceipt.messageId).toBe(sendMessage.id);

    expect((await friendsMessages.next()).messageAdded).toEqual(sendMessage);
    await using another = connect(gateway.wsUrl, carol?.token);
    await another.acknowledged;
    expect((await friendsPresence.next()).presenceChanged.user.id).toBe(carol?.id);
  });

  test("comes back with a new token when its session has ended", async () => {
    await using gateway = await startGateway(PATIENT);
    const [alice, bob] = gateway.api.users;
    const chatId = gateway.api.demoChatId;
    const first = gateway.api.data.issueToken(String(bob?.id));
    let token = first;
    await using friend = connect(gateway.wsUrl, alice?.token);
    await friend.acknowledged;
    await using client = connectStock({ ...gateway, token: () => token });
    const messages = client.subscribe(MessageAddedDocument);
    const presence = client.subscribe(PresenceChangedDocument);
    expect((await presence.next()).presenceChanged.user.id).toBe(alice?.id);
    await using sameToken = connect(gateway.wsUrl, first);
    await sameToken.acknowledged;

    token = gateway.api.data.issueToken(String(bob?.id));
    gateway.api.data.revokeToken(first);
    await expect(sameToken.run(ChatsDocument)).rejects.toMatchObject({ code: 4403 });
    expect((await presence.next()).presenceChanged.user.id).toBe(alice?.id);
    await client.settled();

    const { sendMessage } = await friend.run(SendMessageDocument, { chatId, content: "Welcome back" });
    expect((await messages.next()).messageAdded).toMatchObject(sendMessage);
  });
});
