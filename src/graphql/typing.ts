import { builder } from "./builder.ts";

builder.objectType("TypingChange", {
  fields: (t) => ({
    chatId: t.exposeID("chatId"),
    user: t.expose("user", { type: "User" }),
    isTyping: t.exposeBoolean("isTyping"),
  }),
});

builder.mutationField("setTyping", (t) =>
  t.field({
    type: "TypingChange",
    description: "Starts or stops the viewer's typing indicator; it stops by itself after TYPING_TIMEOUT.",
    args: { chatId: t.arg.id({ required: true }), isTyping: t.arg.boolean({ required: true }) },
    resolve: async (_root, { chatId, isTyping }, { caller, services }) =>
      services.typing.set(await caller.identity(), chatId, isTyping),
  }),
);

builder.subscriptionField("typingChanged", (t) =>
  t.field({
    type: "TypingChange",
    description: "Others starting and stopping to type; who is typing now comes first.",
    args: { chatId: t.arg.id() },
    subscribe: async (_root, { chatId }, { caller, services }) =>
      services.subscriptions.typingChanged(await caller.session(), chatId ?? undefined),
    resolve: (event) => event.change,
  }),
);
