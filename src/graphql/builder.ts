/** The schema builder. It has no logic: each domain type's module beside it adds its type and operations. */
import SchemaBuilder from "@pothos/core";
import ComplexityPlugin from "@pothos/plugin-complexity";
import type { Chat, Me, Message, Presence, ReadReceipt, TypingChange, User } from "../chat/model.ts";
import type { HistoryPage } from "../chat/history.ts";
import type { ChatsChange } from "../fanout/chat-list-stream.ts";
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

builder.queryType({ description: "What is now, read from the REST API. Over HTTP or WebSocket." });
builder.mutationType({ description: "What a client can do. Over HTTP or WebSocket." });
builder.subscriptionType({
  description: "What happens, as it happens. Over WebSocket (graphql-transport-ws) or Server-Sent Events.",
});
