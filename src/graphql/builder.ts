/** The schema builder. It has no logic: each domain type's module beside it adds its type and operations. */
import SchemaBuilder from "@pothos/core";
import ComplexityPlugin from "@pothos/plugin-complexity";
import type { Chat, Me, Message, Presence, ReadReceipt, TypingChange, User } from "../chat/model.ts";
import type { HistoryPage } from "../chat/history.ts";
import type { ChatsChange } from "../fanout/chats-change-queue.ts";
import type { Context } from "./context.ts";

export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: { DateTime: { Input: string; Output: string }; ID: { Input: string; Output: string } };
  Objects: {
    Chat: Chat;
    ChatsChange: ChatsChange;
    Me: Me;
    Message: Message;
    MessageConnection: HistoryPage;
    MessageEdge: Message;
    PageInfo: HistoryPage;
    Presence: Presence;
    ReadReceipt: ReadReceipt;
    TypingChange: TypingChange;
    User: User;
  };
}>({ plugins: [ComplexityPlugin], defaultFieldNullability: false });

builder.queryType({
  description:
    "Reads the present state from the REST API, over HTTP or WebSocket. The viewer is the user whose token the request or the connection carries.",
});
builder.mutationType({
  description: "Changes something, over HTTP or WebSocket. Others learn of it through their subscriptions.",
});
builder.subscriptionType({
  description:
    "Events as they happen, over WebSocket (graphql-transport-ws) or Server-Sent Events, of chats that the viewer is in.",
});
