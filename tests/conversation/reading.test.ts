import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { errorIn, refusal } from "../support/errors.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import {
  ChatsDocument,
  MarkChatReadDocument,
  MarkReadDocument,
  ReadReceiptDocument,
} from "../support/generated/graphql.ts";
import { runnerOver, TRANSPORTS } from "../support/runner.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop, team, pair } = DEMO_CHATS;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The newest message that somebody has written in a chat. */
function newestOf({ api }: TestGateway, chatId: string, senderId: string): string {
  return api.data.messages(chatId).findLast((message) => message.senderId === senderId)?.id ?? "";
}

describe.each(TRANSPORTS)("over %s", (transport) => {
  test("a message that was read makes a receipt for the members, the reader's other devices included", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    await using device = connect(gateway.wsUrl, alice.token);
    await using sender = connect(gateway.wsUrl, bob.token);
    await using own = device.subscribe(ReadReceiptDocument);
    await using received = sender.subscribe(ReadReceiptDocument, { chatId: shop });
    await Promise.all([device.run(ChatsDocument), sender.run(ChatsDocument)]);
    const messageId = newestOf(gateway, shop, bob.id);
    const { markRead } = await client.run(MarkReadDocument, { chatId: shop, messageId });
    expect(markRead).toEqual({
      id: `${shop}:${alice.id}`,
      chatId: shop,
      messageId,
      reader: { id: alice.id, name: alice.name },
      readAt: gateway.api.data.messages(shop).at(-1)?.readAt,
    });
    expect((await received.next()).readReceipt).toEqual(markRead);
    expect((await own.next()).readReceipt).toEqual(markRead);
    const { chats } = await client.run(ChatsDocument);
    expect(chats.find(({ id }) => id === shop)?.unreadCount).toBe(1);
  });

  test("a chat that was read makes one receipt without a message", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    await using sender = connect(gateway.wsUrl, bob.token);
    await using received = sender.subscribe(ReadReceiptDocument);
    await sender.run(ChatsDocument);
    const { markChatRead } = await client.run(MarkChatReadDocument, { chatId: shop });
    expect(markChatRead).toEqual({
      id: `${shop}:${alice.id}`,
      chatId: shop,
      messageId: null,
      reader: { id: alice.id, name: alice.name },
      readAt: expect.stringMatching(INSTANT),
    });
    expect((await received.next()).readReceipt).toEqual(markChatRead);
    const { chats } = await client.run(ChatsDocument);
    expect(chats.find(({ id }) => id === shop)?.unreadCount).toBe(0);
  });

  test("one's own message cannot be marked: the client reads the API's sentence", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const messageId = newestOf(gateway, shop, alice.id);
    expect(await errorIn(client.run(MarkReadDocument, { chatId: shop, messageId }))).toMatchObject({
      message: "You cannot mark your own message as read",
      extensions: { code: "BAD_USER_INPUT", argument: "messageId" },
    });
  });

  test.each([
    ["a message that does not exist", team, "no-such-message", "NOT_FOUND"],
    ["a message in a chat that does not exist", "no-such-chat", "m", "NOT_FOUND"],
    ["a message in a chat of others", shop, "m", "NOT_PARTICIPANT"],
    ["a chat of others", shop, undefined, "NOT_PARTICIPANT"],
  ])("%s cannot be marked", async (_what, chatId, messageId, code) => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, carol.token);
    const marking =
      messageId === undefined
        ? client.run(MarkChatReadDocument, { chatId })
        : client.run(MarkReadDocument, { chatId, messageId });
    expect(await refusal(marking)).toEqual({ code });
    expect(await client.run(MarkChatReadDocument, { chatId: team })).toMatchObject({ markChatRead: { chatId: team } });
  });

  test.each([
    ["no body", { status: 200 }],
    ["204", { status: 204 }],
    ["a body without an instant", { body: { message: "Message marked as read" } }],
  ])("an API that answers with %s gets a receipt with an instant all the same", async (_what, reply) => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    using _ = gateway.api.faults.answer(reply, { method: "PUT", when: "processed" });
    const messageId = newestOf(gateway, shop, bob.id);
    const { markRead } = await client.run(MarkReadDocument, { chatId: shop, messageId });
    const { markChatRead } = await client.run(MarkChatReadDocument, { chatId: shop });
    expect(markRead).toMatchObject({ messageId, readAt: expect.stringMatching(INSTANT) });
    expect(markChatRead).toMatchObject({ messageId: null, readAt: expect.stringMatching(INSTANT) });
  });
});

test("receipts come of one chat or of all, and never of others' chats", async () => {
  await using gateway = await startGateway();
  await using client = connect(gateway.wsUrl, bob.token);
  await using outsider = connect(gateway.wsUrl, alice.token);
  await using ofAll = client.subscribe(ReadReceiptDocument);
  await using ofTeam = client.subscribe(ReadReceiptDocument, { chatId: team });
  await using outside = outsider.subscribe(ReadReceiptDocument);
  await Promise.all([client.run(ChatsDocument), outsider.run(ChatsDocument)]);
  for (const chatId of [pair, shop, team]) await client.run(MarkChatReadDocument, { chatId });
  const chatIds = [await ofAll.next(), await ofAll.next(), await ofAll.next()].map((event) => event.readReceipt.chatId);
  expect(chatIds).toEqual([pair, shop, team]);
  expect((await ofTeam.next()).readReceipt.chatId).toBe(team);
  expect([await outside.next(), await outside.next()].map((event) => event.readReceipt.chatId)).toEqual([shop, team]);
});

test("a chat created after everybody has connected brings its receipts, whoever is the first to act in it", async () => {
  await using gateway = await startGateway();
  await using reader = connect(gateway.wsUrl, alice.token);
  await using sender = connect(gateway.wsUrl, bob.token);
  await using received = sender.subscribe(ReadReceiptDocument);
  await Promise.all([reader.acknowledged, sender.run(ChatsDocument)]);
  const { id: chatId } = gateway.api.data.createChat({ participants: [alice.id, bob.id] });
  gateway.api.data.addMessage({ chatId, senderId: bob.id, content: "past the gateway" });
  const { markChatRead } = await reader.run(MarkChatReadDocument, { chatId });
  await reader.run(MarkChatReadDocument, { chatId: shop });
  expect((await received.next()).readReceipt).toEqual(markChatRead);
});
