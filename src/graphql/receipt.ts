import { builder } from "./builder.ts";
import { REQUEST_COST } from "./cost.ts";

builder.objectType("ReadReceipt", {
  fields: (t) => ({
    chatId: t.exposeID("chatId"),
    messageId: t.exposeID("messageId", {
      nullable: true,
      description: "Null when the whole chat was marked as read.",
    }),
    reader: t.expose("reader", { type: "User" }),
    readAt: t.expose("readAt", { type: "DateTime" }),
  }),
});

builder.mutationFields((t) => ({
  markRead: t.field({
    type: "ReadReceipt",
    description: "Marks one message as read and notifies the members of the chat.",
    args: { chatId: t.arg.id({ required: true }), messageId: t.arg.id({ required: true }) },
    complexity: REQUEST_COST,
    resolve: async (_root, { chatId, messageId }, { caller, services }) =>
      services.receipts.mark(await caller.identity(), chatId, messageId),
  }),
  markChatRead: t.field({
    type: "ReadReceipt",
    description: "Marks every message of the chat as read; the receipt's messageId is null.",
    args: { chatId: t.arg.id({ required: true }) },
    complexity: REQUEST_COST,
    resolve: async (_root, { chatId }, { caller, services }) => services.receipts.mark(await caller.identity(), chatId),
  }),
}));

builder.subscriptionField("readReceipt", (t) =>
  t.field({
    type: "ReadReceipt",
    description: "Read receipts of one chat or of all, the viewer's own (from another device) included.",
    args: { chatId: t.arg.id() },
    subscribe: async (_root, { chatId }, { caller, services }) =>
      services.subscriptions.durable("message.read", await caller.session(), {
        chatId: chatId ?? undefined,
        resumable: caller.resumable,
      }),
    resolve: (event) => event.receipt,
  }),
);
