import type { Cursors } from "../chat/cursor.ts";
import type { Message } from "../chat/model.ts";
import { builder } from "./builder.ts";
import { REQUEST_COST } from "./cost.ts";

builder.objectType("Message", {
  description: "One message of a chat.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "The REST API's id of the message; opaque." }),
    chatId: t.exposeID("chatId", { description: "The chat that it was sent to." }),
    sender: t.expose("sender", { type: "User", description: "Who sent the message." }),
    content: t.exposeString("content", { description: "The text of the message, without white space at both ends." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When the REST API persisted the message." }),
    readAt: t.expose("readAt", {
      type: "DateTime",
      nullable: true,
      description: "When the first of the others read it.",
    }),
    readBy: t.field({
      type: ["ReadReceipt"],
      description:
        "Who has read it and when, where the REST API or its adapter says so (`readBy`); otherwise what is known from receipts, or empty.",
      resolve: ({ chatId, id: messageId, readBy = [] }) =>
        readBy.map(({ userId, name, readAt }) => ({
          chatId,
          messageId,
          reader: { id: userId, name: name ?? userId },
          readAt,
        })),
    }),
    clientMessageId: t.exposeID("clientMessageId", {
      nullable: true,
      description:
        "What the sender gave sendMessage, for replacing an optimistic copy; null where the gateway does not know it.",
    }),
    cursor: t.string({
      description:
        "This message's place in the stream, opaque; it goes into messageAdded(after:) and messages(before:).",
      resolve: (message, _args, { services }) => services.cursors.of(message),
    }),
  }),
});

builder.objectType("MessageConnection", {
  description: "A page of a chat's history.",
  fields: (t) => ({
    edges: t.field({
      type: ["MessageEdge"],
      description: "The messages, oldest first, each with its cursor; `nodes` has the same without.",
      complexity: { multiplier: 1 },
      resolve: (page) => [...page.messages],
    }),
    nodes: t.field({
      type: ["Message"],
      description: "The messages, oldest first.",
      complexity: { multiplier: 1 },
      resolve: (page) => [...page.messages],
    }),
    pageInfo: t.field({
      type: "PageInfo",
      description: "Whether there are messages before and after this page, and the cursors for asking for them.",
      resolve: (page) => page,
    }),
  }),
});

builder.objectType("MessageEdge", {
  description: "A message of a page.",
  fields: (t) => ({
    cursor: t.string({
      description: "The same as `node.cursor`.",
      resolve: (message, _args, { services }) => services.cursors.of(message),
    }),
    node: t.field({ type: "Message", description: "The message itself.", resolve: (message) => message }),
  }),
});

builder.objectType("PageInfo", {
  description: "Where a page is in the chat's history.",
  fields: (t) => ({
    hasNextPage: t.exposeBoolean("hasNextPage", { description: "Whether there are newer messages than the page's." }),
    hasPreviousPage: t.exposeBoolean("hasPreviousPage", {
      description: "Whether there are older messages than the page's.",
    }),
    startCursor: t.string({
      nullable: true,
      description: "The oldest message's cursor, for messages(before:); null on an empty page.",
      resolve: ({ messages }, _args, { services }) => cursorOrNull(messages[0], services.cursors),
    }),
    endCursor: t.string({
      nullable: true,
      description: "The newest message's cursor, for messageAdded(after:); null on an empty page.",
      resolve: ({ messages }, _args, { services }) => cursorOrNull(messages.at(-1), services.cursors),
    }),
  }),
});

function cursorOrNull(message: Message | undefined, cursors: Cursors): string | null {
  return message ? cursors.of(message) : null;
}

builder.mutationField("sendMessage", (t) =>
  t.field({
    type: "Message",
    description:
      "Persists a message through the REST API, then delivers it to every member of the chat, the sender included.\n" +
      "`clientMessageId` makes a retry safe: the same sender and id give back the same message, delivered once.",
    args: {
      chatId: t.arg.id({ required: true, description: "A chat of the viewer." }),
      content: t.arg.string({ required: true, description: "The text; at most MAX_MESSAGE_SIZE bytes, not empty." }),
      clientMessageId: t.arg.id({
        description: "1 to 128 printable ASCII characters without spaces, new for each message: a UUID.",
      }),
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
    args: {
      chatId: t.arg.id({ description: "One chat only. Without it: every chat of the viewer." }),
      after: t.arg.string({ description: "The cursor of the last message that the client has." }),
    },
    subscribe: async (_root, { chatId, after }, { caller, services }) =>
      services.subscriptions.messageAdded(await caller.session(), {
        chatId: chatId ?? undefined,
        after: caller.lastEventId ?? after ?? undefined,
        resumable: caller.resumable,
      }),
    resolve: (event) => event.message,
  }),
);
