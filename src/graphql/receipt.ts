import { builder } from "./builder.ts";
import { pairId } from "./cache-id.ts";
import { REQUEST_COST } from "./cost.ts";

builder.objectType("ReadReceipt", {
  description: "Somebody has read a message, or everything in a chat.",
  fields: (t) => ({
    id: t.id({
      description:
        "Of a chat and a reader: a newer receipt of the same reader replaces an older one in a normalised cache.",
      resolve: ({ chatId, reader }) => pairId(chatId, reader.id),
    }),
    chatId: t.exposeID("chatId", { description: "The chat that the message is in." }),
    messageId: t.exposeID("messageId", {
      nullable: true,
      description: "Null when the whole chat was marked as read.",
    }),
    reader: t.expose("reader", { type: "User", description: "Who has read it." }),
    readAt: t.expose("readAt", { type: "DateTime", description: "When the reader marked it as read." }),
  }),
});

builder.mutationFields((t) => ({
  markRead: t.field({
    type: "ReadReceipt",
    description: "Marks one message as read and notifies the members of the chat.",
    args: {
      chatId: t.arg.id({ required: true, description: "The chat that the message is in." }),
      messageId: t.arg.id({ required: true, description: "A message that somebody else has sent." }),
    },
    complexity: REQUEST_COST,
    resolve: (_root, { chatId, messageId }, { loaders }) => loaders.read.load({ chatId, messageId }),
  }),
  markChatRead: t.field({
    type: "ReadReceipt",
    description: "Marks every message of the chat as read; the receipt's messageId is null.",
    args: { chatId: t.arg.id({ required: true, description: "A chat of the viewer." }) },
    complexity: REQUEST_COST,
    resolve: (_root, { chatId }, { loaders }) => loaders.read.load({ chatId, messageId: undefined }),
  }),
}));

builder.subscriptionField("readReceipt", (t) =>
  t.field({
    type: "ReadReceipt",
    description: "Read receipts of one chat or of all, the viewer's own (from another device) included.",
    args: { chatId: t.arg.id({ description: "One chat only. Without it: every chat of the viewer." }) },
    subscribe: async (_root, { chatId }, { caller, services }) =>
      services.subscriptions.durable("message.read", await caller.session(), {
        chatId: chatId ?? undefined,
        resumable: caller.resumable,
      }),
    resolve: (event) => event.receipt,
  }),
);
