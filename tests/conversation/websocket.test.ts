import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { ChatsDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";

test("a message arrives at every member, the sender included", async () => {
  await using gateway = await startGateway();
  const [alice, bob] = gateway.api.users;
  await using sender = connect(gateway.wsUrl, alice?.token);
  await using reader = connect(gateway.wsUrl, bob?.token);
  expect(await reader.acknowledged).toMatchObject({ userId: bob?.id });
  const { chats } = await sender.run(ChatsDocument);
  const chatId = gateway.api.demoChatId;
  expect(chats.map((chat) => chat.id)).toContain(chatId);
  await using toAll = reader.subscribe(MessageAddedDocument);
  await using toOne = sender.subscribe(MessageAddedDocument, { chatId });
  await reader.run(ChatsDocument);
  const { sendMessage } = await sender.run(SendMessageDocument, { chatId, content: " hello ", clientMessageId: "c-1" });
  expect(sendMessage).toMatchObject({ content: "hello", clientMessageId: "c-1", sender: { id: alice?.id } });
  expect((await toAll.next()).messageAdded).toEqual(sendMessage);
  expect((await toOne.next()).messageAdded).toEqual(sendMessage);
});
