import { cursorOf } from "../chat/cursor.ts";
import { builder } from "./builder.ts";
import { REQUEST_COST } from "./cost.ts";

builder.objectType("Message", {
  fields: (t) => ({
    id: t.exposeID("id"),
    chatId: t.exposeID("chatId"),
    sender: t.expose("sender", { type: "User" }),
    content: t.exposeString("content"),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    readAt: t.expose("readAt", { type: "DateTime", nullable: true }),
    clientMessageId: t.exposeID("clientMessageId", {
      nullable: true,
      description:
        "What the sender gave sendMessage, for replacing an optimistic copy; null where the gateway does not know it.",
    }),
    cursor: t.string({
      description:
        "This message's place in the stream, opaque; it goes into messageAdded(after:) and messages(before:).",
      resolve: cursorOf,
    }),
  }),
});

builder.objectType("MessageConnection", {
  fields: (t) => ({
    edges: t.field({ type: ["MessageEdge"], complexity: { multiplier: 1 }, resolve: (page) => [...page.messages] }),
    nodes: t.field({ type: ["Message"], complexity: { multiplier: 1 }, resolve: (page) => [...page.messages] }),
    pageInfo: t.field({ type: "PageInfo", resolve: (page) => page }),
  }),
});

builder.objectType("MessageEdge", {
  fields: (t) => ({
    cursor: t.string({ resolve: cursorOf }),
    node: t.field({ type: "Message", resolve: (message) => message }),
  }),
});

builder.objectType("PageInfo", {
  fields: (t) => ({
    hasNextPage: t.exposeBoolean("hasNextPage"),
    hasPreviousPage: t.exposeBoolean("hasPreviousPage"),
    startCursor: t.string({ nullable: true, resolve: ({ messages }) => cursorOrNull(messages[0]) }),
    endCursor: t.string({ nullable: true, resolve: ({ messages }) => cursorOrNull(messages.at(-1)) }),
  }),
});

function cursorOrNull(message: Parameters<typeof cursorOf>[0] | undefined): string | null {
  return message ? cursorOf(message) : null;
}

builder.mutationField("sendMessage", (t) =>
  t.field({
    type: "Message",
    description:
      "Persists a message through the REST API, then delivers it to every member of the chat, the sender included.\n" +
      "`clientMessageId` makes a retry safe: the same sender and id give back the same message, delivered once.",
    args: {
      chatId: t.arg.id({ required: true }),
      content: t.arg.string({ required: true }),
      clientMessageId: t.arg.id(),
    },
    complexity: REQUEST_COST,
    resolve: async (_root, { chatId, content, clientMessageId }, { caller, services }) =>
      services.messages.send(await caller.identity(), {
        chatId,
        content,
        clientMessageId: clientMessageId ?? undefined,
      }),
  }),
);

builder.subscriptionField("messageAdded", (t) =>
  t.field({
    type: "Message",
    description:
      "Messages of one chat, or without chatId of every chat of the viewer, those joined later included.\n" +
      "With `after` (a Message.cursor) everything newer comes first, oldest first, then live: no gap, no duplicate.",
    args: { chatId: t.arg.id(), after: t.arg.string() },
    subscribe: async (_root, { chatId, after }, { caller, services }) =>
      services.subscriptions.messageAdded(await caller.session(), {
        chatId: chatId ?? undefined,
        after: caller.lastEventId ?? after ?? undefined,
        resumable: caller.resumable,
      }),
    resolve: (event) => event.message,
  }),
);
