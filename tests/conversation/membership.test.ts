import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, type TestClient } from "../support/client.ts";
import { refusal } from "../support/errors.ts";
import { startGateway } from "../support/gateway.ts";
import {
  ChatDocument,
  ChatsDocument,
  MarkChatReadDocument,
  MessageAddedDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  SetTypingDocument,
  TypingChangedDocument,
} from "../support/generated/graphql.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team } = DEMO_CHATS;

const NOT_PARTICIPANT = [
  { message: "You are not a participant of this chat.", extensions: { code: "NOT_PARTICIPANT" } },
];

test.each([
  ["of others", shop, "NOT_PARTICIPANT"],
  ["that does not exist", "no-such-chat", "NOT_FOUND"],
])("no subscription to a chat %s is admitted, and the connection goes on", async (_which, chatId, code) => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, carol.token);
  const documents = [MessageAddedDocument, ReadReceiptDocument, TypingChangedDocument, PresenceChangedDocument];
  for (const document of documents) {
    await using refused = client.subscribe<unknown, { chatId: string }>(document, { chatId });
    expect(await refused.ended).toMatchObject([{ extensions: { code } }]);
  }
  expect((await client.run(ChatsDocument)).chats).toHaveLength(2);
});

describe("a member who was removed", () => {
  /** How the gateway comes to know: the removed one is refused something, or somebody else's answer shows it. */
  const discoveries: readonly [string, (removed: TestClient, other: TestClient) => Promise<unknown>][] = [
    ["is refused a message", (removed) => refusal(removed.run(SendMessageDocument, { chatId: shop, content: "hi" }))],
    ["is refused a receipt", (removed) => refusal(removed.run(MarkChatReadDocument, { chatId: shop }))],
    ["is refused the chat", (removed) => refusal(removed.run(ChatDocument, { id: shop }))],
    ["lists the chats left", (removed) => removed.run(ChatsDocument)],
    ["is missing in another member's list of chats", (_removed, other) => other.run(ChatsDocument)],
    ["is missing when another member opens the chat", (_removed, other) => other.run(ChatDocument, { id: shop })],
  ];

  test.each(discoveries)("and %s gets nothing more of the chat, and everything of others", async (_how, discover) => {
    await using gateway = await startGateway();
    await using sender = connect(gateway.wsUrl, alice.token);
    await using removed = connect(gateway.wsUrl, bob.token);
    await using device = connect(gateway.wsUrl, bob.token);
    await using ofAll = removed.subscribe(MessageAddedDocument);
    await using ofAllElsewhere = device.subscribe(MessageAddedDocument);
    await using ofShop = removed.subscribe(MessageAddedDocument, { chatId: shop });
    await using typingInShop = device.subscribe(TypingChangedDocument, { chatId: shop });
    await using presenceInShop = device.subscribe(PresenceChangedDocument, { chatId: shop });
    await using ofTeam = removed.subscribe(MessageAddedDocument, { chatId: team });
    await Promise.all([sender, removed, device].map((client) => client.run(ChatsDocument)));
    gateway.api.data.removeMember(shop, bob.id);
    await discover(removed, sender);
    for (const { ended } of [ofShop, typingInShop, presenceInShop]) expect(await ended).toMatchObject(NOT_PARTICIPANT);
    await sender.run(SendMessageDocument, { chatId: shop, content: "a secret" });
    await sender.run(SendMessageDocument, { chatId: team, content: "barrier" });
    for (const received of [ofAll, ofAllElsewhere, ofTeam]) {
      expect((await received.next()).messageAdded.content).toBe("barrier");
    }
    expect(ofShop.waiting).toEqual([]);
    expect(await refusal(removed.run(SetTypingDocument, { chatId: shop, isTyping: true }))).toEqual({
      code: "NOT_PARTICIPANT",
    });
    expect(await removed.run(SendMessageDocument, { chatId: team, content: "still here" })).toMatchObject({
      sendMessage: { content: "still here" },
    });
  });

  test("is not heard of in the chat any more", async () => {
    await using gateway = await startGateway();
    await using watcher = connect(gateway.wsUrl, alice.token);
    await using removed = connect(gateway.wsUrl, bob.token);
    await using typing = watcher.subscribe(TypingChangedDocument, { chatId: shop });
    await Promise.all([watcher, removed].map((client) => client.run(ChatsDocument)));
    gateway.api.data.removeMember(shop, bob.id);
    await watcher.run(ChatsDocument);
    await refusal(removed.run(SetTypingDocument, { chatId: shop, isTyping: true }));
    using _ = gateway.api.data.addMember(shop, carol.id);
    await using added = connect(gateway.wsUrl, carol.token);
    await added.run(SetTypingDocument, { chatId: shop, isTyping: true });
    expect((await typing.next()).typingChanged.user.id).toBe(carol.id);
  });

  test("and came back gets what is sent from then on", async () => {
    await using gateway = await startGateway();
    await using sender = connect(gateway.wsUrl, alice.token);
    await using member = connect(gateway.wsUrl, bob.token);
    await using ofAll = member.subscribe(MessageAddedDocument);
    await Promise.all([sender, member].map((client) => client.run(ChatsDocument)));
    const removal = gateway.api.data.removeMember(shop, bob.id);
    await sender.run(ChatsDocument);
    await sender.run(SendMessageDocument, { chatId: shop, content: "a secret" });
    removal.lift();
    await sender.run(ChatsDocument);
    await sender.run(SendMessageDocument, { chatId: shop, content: "welcome back" });
    expect((await ofAll.next()).messageAdded.content).toBe("welcome back");
  });
});

test("a chat that was deleted ends its subscriptions with NOT_PARTICIPANT, and the others go on", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, bob.token);
  await using ofShop = client.subscribe(MessageAddedDocument, { chatId: shop });
  await using ofAll = client.subscribe(MessageAddedDocument);
  await client.run(ChatsDocument);
  gateway.api.data.deleteChat(shop);
  expect(await refusal(client.run(SendMessageDocument, { chatId: shop, content: "hi" }))).toEqual({
    code: "NOT_FOUND",
  });
  expect(await ofShop.ended).toMatchObject(NOT_PARTICIPANT);
  await client.run(SendMessageDocument, { chatId: team, content: "barrier" });
  expect((await ofAll.next()).messageAdded.content).toBe("barrier");
});

describe("a member who was added", () => {
  /** How the gateway comes to know. */
  const discoveries: readonly [string, (added: TestClient, other: TestClient) => Promise<unknown>][] = [
    ["another member lists the chats", (_added, other) => other.run(ChatsDocument)],
    ["another member opens the chat", (_added, other) => other.run(ChatDocument, { id: shop })],
    ["the new one lists the chats", (added) => added.run(ChatsDocument)],
    ["the new one reads the chat", (added) => added.run(MarkChatReadDocument, { chatId: shop })],
    ["the new one types", (added) => added.run(SetTypingDocument, { chatId: shop, isTyping: false })],
  ];

  test.each(discoveries)("gets events as soon as %s", async (_how, discover) => {
    await using gateway = await startGateway();
    await using other = connect(gateway.wsUrl, alice.token);
    await using client = connect(gateway.wsUrl, carol.token);
    await using messages = client.subscribe(MessageAddedDocument);
    await using receipts = client.subscribe(ReadReceiptDocument);
    await using typing = client.subscribe(TypingChangedDocument);
    await Promise.all([other, client].map((each) => each.run(ChatsDocument)));
    await other.run(SendMessageDocument, { chatId: shop, content: "before" });
    gateway.api.data.addMember(shop, carol.id);
    await discover(client, other);
    await other.run(SetTypingDocument, { chatId: shop, isTyping: true });
    await other.run(SendMessageDocument, { chatId: shop, content: "after" });
    const { markChatRead } = await other.run(MarkChatReadDocument, { chatId: shop });
    expect((await messages.next()).messageAdded.content).toBe("after");
    expect((await typing.next()).typingChanged).toMatchObject({ chatId: shop, user: { id: alice.id }, isTyping: true });
    const received = [await receipts.next()];
    if (received[0]?.readReceipt.reader.id === carol.id) received.push(await receipts.next());
    expect(received.at(-1)?.readReceipt).toEqual(markChatRead);
  });

  test("gets the message of one's own that shows it", async () => {
    await using gateway = await startGateway();
    await using other = connect(gateway.wsUrl, alice.token);
    await using client = connect(gateway.wsUrl, carol.token);
    await using received = client.subscribe(MessageAddedDocument);
    await Promise.all([other, client].map((each) => each.run(ChatsDocument)));
    gateway.api.data.addMember(shop, carol.id);
    const { sendMessage } = await client.run(SendMessageDocument, { chatId: shop, content: "hello" });
    await client.run(SendMessageDocument, { chatId: team, content: "barrier" });
    expect((await received.next()).messageAdded).toEqual(sendMessage);
  });
});

test("an answer from before a membership changed does not undo the change", async () => {
  await using gateway = await startGateway();
  await using sender = connect(gateway.wsUrl, alice.token);
  await using removed = connect(gateway.wsUrl, bob.token);
  await using ofAll = removed.subscribe(MessageAddedDocument);
  await Promise.all([sender, removed].map((client) => client.run(ChatsDocument)));
  // The API has looked at the members, and is slow to say who they are.
  const createdAt = "2026-01-28T16:00:00.000Z";
  const members = { participants: [alice.id, bob.id], participantNames: [alice.name, bob.name] };
  const body = { chat: { id: shop, ...members, createdAt, updatedAt: createdAt } };
  using gate = gateway.api.faults.hold({ path: `/chats/${shop}`, token: alice.token, times: 1 });
  using _ = gateway.api.faults.answer({ body }, { path: `/chats/${shop}`, token: alice.token, times: 1 });
  // Nothing else is asked for: any later answer would put right what this one does.
  const slow = sender.run(parse(`{ chat(id: "${shop}") { id } }`));
  await gate.arrived();
  gateway.api.data.removeMember(shop, bob.id);
  await refusal(removed.run(SendMessageDocument, { chatId: shop, content: "hi" }));
  gate.release();
  await slow;
  await sender.run(SendMessageDocument, { chatId: shop, content: "a secret" });
  await sender.run(SendMessageDocument, { chatId: team, content: "barrier" });
  expect((await ofAll.next()).messageAdded.content).toBe("barrier");
});
