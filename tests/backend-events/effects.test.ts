/** What each event of the backend does to clients that are connected. */
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, type Received } from "../support/client.ts";
import { EVENTS_SECRET, tell, type Said } from "../support/events.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import {
  ChatsChangedDocument,
  ChatsDocument,
  MeDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
  type MessageAddedSubscription,
} from "../support/generated/graphql.ts";
import { codesOf, openEventStream } from "../support/http.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const NOT_PARTICIPANT = [{ extensions: { code: "NOT_PARTICIPANT" } }];

const start = (): Promise<TestGateway> => startGateway({ EVENTS_SECRET });

/** Tells of a message that Bob has sent past the gateway. */
async function tellMessage(gateway: TestGateway, chatId: string, content: string): Promise<void> {
  const message = gateway.api.data.addMessage({ chatId, senderId: bob.id, content });
  await tell(gateway, { type: "message.created", data: { message } });
}

/** A chat as its backend tells of it. */
function chatOf(id: string, members: readonly { readonly id: string; readonly name: string }[]) {
  const at = "2026-01-28T16:00:00.000Z";
  const participants = members.map((member) => member.id);
  return { id, participants, participantNames: members.map((member) => member.name), createdAt: at, updatedAt: at };
}

async function contentOf(received: Received<MessageAddedSubscription>): Promise<string> {
  return (await received.next()).messageAdded.content;
}

test("message.created brings a message sent past the gateway to the members, once, before it is answered", async () => {
  await using gateway = await start();
  await using member = connect(gateway.wsUrl, alice.token);
  await using sender = connect(gateway.wsUrl, bob.token);
  await using outsider = connect(gateway.wsUrl, carol.token);
  await using ofShop = member.subscribe(MessageAddedDocument, { chatId: shop });
  const ofAll = [member, sender, outsider].map((client) => client.subscribe(MessageAddedDocument));
  await Promise.all([member, sender, outsider].map((client) => client.run(ChatsDocument)));
  const message = gateway.api.data.addMessage({ chatId: shop, senderId: bob.id, content: "past the gateway" });
  await tell(gateway, { type: "message.created", data: { message } });
  // What was on its way when the event was answered is there before what is asked after that.
  await Promise.all([member, sender, outsider].map((client) => client.run(MeDocument)));
  expect([ofShop, ...ofAll].map(({ waiting }) => waiting.length)).toEqual([1, 1, 1, 0]);
  expect((await ofShop.next()).messageAdded).toMatchObject({
    id: message.id,
    chatId: shop,
    sender: { id: bob.id, name: bob.name },
    content: "past the gateway",
    createdAt: message.createdAt,
    clientMessageId: null,
  });
  for (const received of ofAll.slice(0, 2)) expect((await received.next()).messageAdded.id).toBe(message.id);
  await outsider.run(SendMessageDocument, { chatId: team, content: "barrier" });
  for (const received of ofAll) expect(await contentOf(received)).toBe("barrier");
});

test.each([["one message"], ["the whole chat"]])(
  "message.read brings the receipt of %s to the members",
  async (what) => {
    await using gateway = await start();
    await using member = connect(gateway.wsUrl, alice.token);
    await using outsider = connect(gateway.wsUrl, carol.token);
    const received = [member, outsider].map((client) => client.subscribe(ReadReceiptDocument));
    await Promise.all([member, outsider].map((client) => client.run(ChatsDocument)));
    const messageId = what === "one message" ? gateway.api.data.messages(shop)[0]?.id : undefined;
    const read = { userId: bob.id, readAt: "2026-02-01T10:00:00.000Z" };
    // Any form of an instant will do.
    const told = { chatId: shop, userId: bob.id, readAt: "2026-02-01T11:00:00+01:00" };
    await tell(gateway, { type: "message.read", data: messageId === undefined ? told : { ...told, messageId } });
    await tell(gateway, { type: "message.read", data: { ...read, chatId: team } });
    expect((await received[0]?.next())?.readReceipt).toEqual({
      id: `${shop}:${bob.id}`,
      chatId: shop,
      messageId: messageId ?? null,
      reader: { id: bob.id, name: bob.name },
      readAt: read.readAt,
    });
    for (const each of received)
      expect((await each.next()).readReceipt).toMatchObject({ chatId: team, messageId: null });
  },
);

test("chat.created brings the new chat's events to the members' running subscriptions at once", async () => {
  await using gateway = await start();
  await using creator = connect(gateway.wsUrl, alice.token);
  await using member = connect(gateway.wsUrl, carol.token);
  await using outsider = connect(gateway.wsUrl, bob.token);
  const clients = [creator, member, outsider];
  const messages = clients.map((client) => client.subscribe(MessageAddedDocument));
  await using typing = member.subscribe(TypingChangedDocument);
  await Promise.all(clients.map((client) => client.run(ChatsDocument)));
  const chat = gateway.api.data.createChat({ participants: [alice.id, carol.id] });
  const message = gateway.api.data.addMessage({ chatId: chat.id, senderId: alice.id, content: "a new chat" });
  gateway.api.faults.requests.clear();
  await tell(gateway, { type: "chat.created", data: { chat: chatOf(chat.id, [alice, carol]) } });
  await tell(gateway, { type: "message.created", data: { message } });
  await creator.run(SetTypingDocument, { chatId: chat.id, isTyping: true });
  expect((await typing.next()).typingChanged).toMatchObject({ chatId: chat.id, user: { id: alice.id } });
  // The event has said it all.
  expect(gateway.api.faults.requests.count()).toBe(0);
  await outsider.run(SendMessageDocument, { chatId: team, content: "barrier" });
  for (const received of messages.slice(0, 2)) expect(await contentOf(received)).toBe("a new chat");
  for (const received of messages) expect(await contentOf(received)).toBe("barrier");
});

test("chat.updated takes effect on running subscriptions, both ways, and the sockets go on", async () => {
  await using gateway = await start();
  await using staying = connect(gateway.wsUrl, alice.token);
  await using removed = connect(gateway.wsUrl, bob.token);
  await using added = connect(gateway.wsUrl, carol.token);
  const clients = [staying, removed, added];
  await using removedFromShop = removed.subscribe(MessageAddedDocument, { chatId: shop });
  await using presenceInShop = removed.subscribe(PresenceChangedDocument, { chatId: shop });
  await using stayingInShop = staying.subscribe(MessageAddedDocument, { chatId: shop });
  const ofAll = clients.map((client) => client.subscribe(MessageAddedDocument));
  await Promise.all(clients.map((client) => client.run(ChatsDocument)));
  gateway.api.data.removeMember(shop, bob.id);
  gateway.api.data.addMember(shop, carol.id);
  await tell(gateway, { type: "chat.updated", data: { chat: chatOf(shop, [alice, carol]) } });
  expect(await removedFromShop.ended).toMatchObject(NOT_PARTICIPANT);
  expect(await presenceInShop.ended).toMatchObject(NOT_PARTICIPANT);
  await using late = removed.subscribe(MessageAddedDocument, { chatId: shop });
  expect(await late.ended).toMatchObject(NOT_PARTICIPANT);
  await staying.run(SendMessageDocument, { chatId: shop, content: "without Bob" });
  await removed.run(SendMessageDocument, { chatId: team, content: "barrier" });
  expect(await Promise.all(ofAll.map(contentOf))).toEqual(["without Bob", "barrier", "without Bob"]);
  expect(await contentOf(stayingInShop)).toBe("without Bob");
  expect(removedFromShop.waiting).toEqual([]);
});

test("chat.updated renames members for what comes later, and an answer without names takes none away", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using receipts = client.subscribe(ReadReceiptDocument, { chatId: shop });
  await using lists = client.subscribe(ChatsChangedDocument);
  await lists.next();
  await client.run(ChatsDocument);
  const { participants, ...chat } = chatOf(shop, [alice, bob]);
  const rename = (participantNames: string[]): Promise<void> =>
    tell(gateway, { type: "chat.updated", data: { chat: { ...chat, participants, participantNames } } });
  const readAt = (second: number): string => `2026-02-01T10:00:0${second}.000Z`;
  const readBy = (userId: string, second: number): Promise<void> =>
    tell(gateway, { type: "message.read", data: { chatId: shop, messageId: "m1", userId, readAt: readAt(second) } });
  await rename([alice.name, "Robert"]);
  await readBy(bob.id, 1);
  expect((await receipts.next()).readReceipt.reader.name).toBe("Robert");
  const [changed] = (await lists.next()).chatsChanged.changed;
  expect(changed?.participants.map(({ name }) => name)).toEqual([alice.name, "Robert"]);
  await rename(participants);
  await readBy(bob.id, 2);
  expect((await receipts.next()).readReceipt.reader.name).toBe("Robert");
});

test("chat.deleted ends the subscriptions to the chat, and leaves the others alone", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, alice.token);
  await using other = connect(gateway.wsUrl, bob.token);
  const ofShop = [client, other].map((each) => each.subscribe(MessageAddedDocument, { chatId: shop }));
  await using ofTeam = client.subscribe(MessageAddedDocument, { chatId: team });
  await using ofAll = other.subscribe(MessageAddedDocument);
  await Promise.all([client, other].map((each) => each.run(ChatsDocument)));
  const late = gateway.api.data.messages(shop)[0];
  gateway.api.data.deleteChat(shop);
  await tell(gateway, { type: "chat.deleted", data: { chatId: shop } });
  for (const { ended } of ofShop) expect(await ended).toMatchObject(NOT_PARTICIPANT);
  // Whatever a backend says of it after that.
  if (late) await tell(gateway, { type: "message.created", data: { message: late } });
  await tellMessage(gateway, team, "barrier");
  expect(await contentOf(ofAll)).toBe("barrier");
  expect(await contentOf(ofTeam)).toBe("barrier");
});

test("user.signed_out closes every socket of the user with 4403, whatever the token, and nobody else's", async () => {
  await using gateway = await start();
  const { data } = gateway.api;
  const tokens = [alice.token, alice.token, data.issueToken(alice.id)];
  const clients = tokens.map((token) => connect(gateway.wsUrl, token));
  await using control = connect(gateway.wsUrl, bob.token);
  await using messages = control.subscribe(MessageAddedDocument);
  await Promise.all([...clients, control].map((client) => client.run(ChatsDocument)));
  const query = "subscription { messageAdded { content } }";
  await using stream = await openEventStream<MessageAddedSubscription>(gateway.url, { query }, tokens[2]);
  await tellMessage(gateway, team, "before");
  expect(await stream.next()).toEqual({ data: { messageAdded: { content: "before" } } });
  data.signOut(alice.id);
  await tell(gateway, { type: "user.signed_out", data: { userId: alice.id } });
  for (const { closed } of clients) expect(await closed).toEqual({ code: 4403, reason: "Signed out" });
  expect(codesOf((await stream.next()).errors)).toEqual(["UNAUTHENTICATED"]);
  await stream.completed();
  await using again = connect(gateway.wsUrl, alice.token);
  expect(await again.closed).toMatchObject({ code: 4403 });
  await control.run(SendMessageDocument, { chatId: team, content: "after" });
  expect([await contentOf(messages), await contentOf(messages)]).toEqual(["before", "after"]);
});

test("after user.signed_out a stock client with a fresh token comes back, its subscriptions with it", async () => {
  await using gateway = await start();
  await using control = connect(gateway.wsUrl, bob.token);
  const fresh = gateway.api.data.issueToken(alice.id);
  const tokens = [alice.token, fresh];
  await using client = connect(gateway.wsUrl, undefined, {
    connectionParams: () => ({ token: tokens.shift() }),
    retryAttempts: 5,
    retryWait: async () => undefined,
  });
  await using messages = client.subscribe(MessageAddedDocument);
  await Promise.all([client, control].map((each) => each.run(ChatsDocument)));
  await tell(gateway, { type: "user.signed_out", data: { userId: alice.id } });
  expect(await client.closed).toMatchObject({ code: 4403 });
  // The subscription was repeated before this is asked.
  expect((await client.run(MeDocument)).me.id).toBe(alice.id);
  expect(gateway.api.faults.requests.count({ token: fresh, path: "/auth/profile" })).toBe(1);
  await control.run(SendMessageDocument, { chatId: team, content: "welcome back" });
  expect(await contentOf(messages)).toBe("welcome back");
});

test("user.signed_out closes a socket that is just being taken in", async () => {
  await using gateway = await start();
  const { faults } = gateway.api;
  await using control = connect(gateway.wsUrl, bob.token);
  // The REST API has said who that is, and is slow to list the chats.
  using gate = faults.hold({ path: "/chats", token: alice.token, when: "processed", times: 1 });
  await using client = connect(gateway.wsUrl, alice.token);
  await gate.arrived();
  await tell(gateway, { type: "user.signed_out", data: { userId: alice.id } });
  gate.release();
  expect(await client.closed).toMatchObject({ code: 4403 });
  expect((await control.run(MeDocument)).me.id).toBe(bob.id);
});

const nobody = { id: "nobody", name: "Nobody" };
const sentByNobody = { id: "m", chatId: "nowhere", senderId: nobody.id, senderName: nobody.name, content: "hi" };
const OF_NOBODY: readonly Said[] = [
  { type: "message.created", data: { message: { ...sentByNobody, createdAt: "2026-02-01T10:00:00.000Z" } } },
  { type: "message.read", data: { chatId: "nowhere", userId: nobody.id, readAt: "2026-02-01T10:00:00.000Z" } },
  { type: "chat.created", data: { chat: chatOf("nowhere", [nobody]) } },
  { type: "chat.updated", data: { chat: chatOf("nowhere", []) } },
  { type: "chat.deleted", data: { chatId: "nowhere" } },
  { type: "user.signed_out", data: { userId: nobody.id } },
];

test("events that concern nobody who is connected are accepted, and change nothing", async () => {
  await using gateway = await start();
  await using client = connect(gateway.wsUrl, bob.token);
  await using messages = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  for (const event of OF_NOBODY) await tell(gateway, event);
  await client.run(SendMessageDocument, { chatId: team, content: "barrier" });
  expect(await contentOf(messages)).toBe("barrier");
});
