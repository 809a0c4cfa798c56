/** What a frontend shows of people beside messages: ids for its cache, who has read what, who is there. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import {
  MarkChatReadDocument,
  MarkReadDocument,
  PresenceChangedDocument,
  ReadReceiptDocument,
  SendMessageDocument,
  TypingChangedDocument,
  SetTypingDocument,
} from "../support/generated/graphql.ts";
import { overHttp, runnerOver, TRANSPORTS } from "../support/runner.ts";
import { chatRecord, messageRecord, startSmallApi } from "../support/small-api.ts";

const [alice, bob, carol] = DEMO_USERS;
const { team } = DEMO_CHATS;

interface Receipt {
  readonly id: string;
  readonly messageId: string;
  readonly reader: { readonly id: string; readonly name: string };
  readonly readAt: string;
}

const READERS: TypedDocumentNode<
  { chat: { messages: { nodes: readonly { id: string; readBy: readonly Receipt[] }[] } } },
  { id: string }
> = parse(`query Readers($id: ID!) { chat(id: $id) { messages(last: 5) { nodes {
  id readBy { id messageId reader { id name } readAt } } } } }`);

const SENDERS: TypedDocumentNode<{
  chat: { messages: { nodes: readonly { sender: { id: string; presence: Record<string, unknown> } }[] } };
}> = parse(`{ chat(id: "${team}") { messages(last: 1) { nodes { sender {
  id presence { id online lastSeenAt } } } } } }`);

describe("ids for normalised caches", () => {
  test("a receipt has one of its chat and reader, whatever it is about", async () => {
    await using gateway = await startGateway();
    await using one = connect(gateway.wsUrl, alice.token);
    await using other = connect(gateway.wsUrl, bob.token);
    await using receipts = one.subscribe(ReadReceiptDocument, { chatId: team });
    const { sendMessage } = await one.run(SendMessageDocument, { chatId: team, content: "read me" });
    await other.run(MarkReadDocument, { chatId: team, messageId: sendMessage.id });
    await other.run(MarkChatReadDocument, { chatId: team });
    await one.run(MarkChatReadDocument, { chatId: team });
    const ids = [await receipts.next(), await receipts.next(), await receipts.next()].map(
      ({ readReceipt }) => readReceipt.id,
    );
    expect(ids).toEqual([`${team}:${bob.id}`, `${team}:${bob.id}`, `${team}:${alice.id}`]);
  });

  test("a typing indicator has one of its chat and user, and a presence the user's", async () => {
    await using gateway = await startGateway();
    await using one = connect(gateway.wsUrl, alice.token);
    await using typing = one.subscribe(TypingChangedDocument);
    await using present = one.subscribe(PresenceChangedDocument);
    await using other = connect(gateway.wsUrl, bob.token);
    await other.run(SetTypingDocument, { chatId: team, isTyping: true });
    expect((await typing.next()).typingChanged.id).toBe(`${team}:${bob.id}`);
    expect((await present.next()).presenceChanged.id).toBe(bob.id);
  });

  test("ids with a separator in them do not meet", async () => {
    const chats = [chatRecord("a:b", { participants: ["u1", "c"] }), chatRecord("a", { participants: ["u1", "b:c"] })];
    const readBy = (userId: string) => [{ userId, readAt: "2026-01-01T02:00:00Z" }];
    await using api = await startSmallApi({
      chats,
      messages: {
        "a:b": { messages: [messageRecord("m1", "a:b", { readBy: readBy("c") })] },
        a: { messages: [messageRecord("m2", "a", { readBy: readBy("b:c") })] },
      },
    });
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = overHttp(gateway.url, "token");
    const answers = await Promise.all(["a:b", "a"].map((id) => client.run(READERS, { id })));
    const ids = answers.map(({ chat }) => chat.messages.nodes[0]?.readBy[0]?.id);
    expect(new Set(ids).size).toBe(2);
    expect(ids).not.toContain(undefined);
  });
});

describe.each(TRANSPORTS)("who has read a message, over %s", (transport) => {
  test("is as the REST API says, without the sender", async () => {
    const readBy = [
      { userId: "u1", readAt: "2026-01-01T01:00:00Z" },
      { userId: "u2", readAt: "2026-01-01T02:00:00Z" },
      { userId: "gone", readAt: "2026-01-01T03:00:00Z" },
    ];
    const messages = [messageRecord("m1", "c1", { readBy }), messageRecord("m2", "c1", { readBy: "everybody" })];
    await using api = await startSmallApi({ chats: [chatRecord("c1")], messages: { c1: { messages } } });
    await using gateway = await startGateway({ HTTP_API_URL: api.url });
    await using client = runnerOver(transport, gateway, "token");
    const { nodes } = (await client.run(READERS, { id: "c1" })).chat.messages;
    const receiptOf = (id: string, name: string, readAt: string): Receipt => {
      return { id: `c1:${id}`, messageId: "m1", reader: { id, name }, readAt };
    };
    expect(nodes).toEqual([
      {
        id: "m1",
        readBy: [
          receiptOf("u1", "Ann", "2026-01-01T01:00:00.000Z"),
          receiptOf("gone", "gone", "2026-01-01T03:00:00.000Z"),
        ],
      },
      { id: "m2", readBy: [] },
    ]);
  });

  test("is what receipts have told where it does not say", async () => {
    await using gateway = await startGateway();
    await using client = runnerOver(transport, gateway, alice.token);
    const { sendMessage: first } = await client.run(SendMessageDocument, { chatId: team, content: "first" });
    await overHttp(gateway.url, bob.token).run(MarkReadDocument, { chatId: team, messageId: first.id });
    const { sendMessage: second } = await client.run(SendMessageDocument, { chatId: team, content: "second" });
    await overHttp(gateway.url, carol.token).run(MarkChatReadDocument, { chatId: team });
    const { nodes } = (await client.run(READERS, { id: team })).chat.messages;
    const names = nodes.slice(-2).map(({ id, readBy }) => [id, readBy.map(({ reader }) => reader.name).toSorted()]);
    expect(names).toEqual([
      [first.id, [bob.name, carol.name]],
      [second.id, [carol.name]],
    ]);
  });
});

describe.each(TRANSPORTS)("the presence of a user, over %s", (transport) => {
  test("is shown to who shares a chat with them, and to nobody else", async () => {
    await using gateway = await startGateway();
    await using there = connect(gateway.wsUrl, carol.token);
    await there.acknowledged;
    await there.run(SendMessageDocument, { chatId: team, content: "I am here" });
    await using client = runnerOver(transport, gateway, alice.token);
    const presence = async (): Promise<unknown> =>
      (await client.run(SENDERS)).chat.messages.nodes.map(({ sender }) => sender.presence);
    await expect.poll(presence).toEqual([{ id: carol.id, online: true, lastSeenAt: null }]);
    // She stays the sender of her message.
    gateway.api.data.removeMember(team, carol.id);
    expect(await presence()).toEqual([{ id: carol.id, online: false, lastSeenAt: null }]);
  });
});

test("the presence below an event of a subscription is that of the moment", async () => {
  const document: TypedDocumentNode<{ messageAdded: { sender: { presence: { online: boolean } } } }> = parse(
    "subscription { messageAdded { sender { presence { online } } } }",
  );
  await using gateway = await startGateway({ PRESENCE_GRACE: "0" });
  await using reader = connect(gateway.wsUrl, alice.token);
  await using present = reader.subscribe(PresenceChangedDocument);
  await using received = reader.subscribe(document);
  await reader.run(SendMessageDocument, { chatId: team, content: "begun" });
  await received.next();
  const isOnline = async (): Promise<boolean> => {
    await overHttp(gateway.url, bob.token).run(SendMessageDocument, { chatId: team, content: "hello" });
    return (await received.next()).messageAdded.sender.presence.online;
  };
  expect(await isOnline()).toBe(false);
  await using there = connect(gateway.wsUrl, bob.token);
  await there.acknowledged;
  expect((await present.next()).presenceChanged).toMatchObject({ id: bob.id, online: true });
  expect(await isOnline()).toBe(true);
});
