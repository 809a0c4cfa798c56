import { builder } from "./builder.ts";
import { pairId } from "./cache-id.ts";

builder.objectType("TypingChange", {
  description: "Somebody has started or stopped typing in a chat.",
  fields: (t) => ({
    id: t.id({
      description: "Of a chat and a user, for normalised caches.",
      resolve: ({ chatId, user }) => pairId(chatId, user.id),
    }),
    chatId: t.exposeID("chatId", { description: "The chat that the user types in." }),
    user: t.expose("user", { type: "User", description: "Who started or stopped typing." }),
    isTyping: t.exposeBoolean("isTyping", {
      description: "True when the user started typing, false when the user stopped.",
    }),
  }),
});

builder.mutationField("setTyping", (t) =>
  t.field({
    type: "TypingChange",
    description: "Starts or stops the viewer's typing indicator; it stops by itself after TYPING_TIMEOUT.",
    args: {
      chatId: t.arg.id({ required: true, description: "A chat of the viewer." }),
      isTyping: t.arg.boolean({
        required: true,
        description: "True to start, and again while the viewer types; false to stop.",
      }),
    },
    resolve: async (_root, { chatId, isTyping }, { caller, services }) =>
      services.typing.set(await caller.identity(), chatId, isTyping),
  }),
);

builder.subscriptionField("typingChanged", (t) =>
  t.field({
    type: "TypingChange",
    description: "Others starting and stopping to type; who is typing now comes first.",
    args: { chatId: t.arg.id({ description: "One chat only. Without it: every chat of the viewer." }) },
    subscribe: async (_root, { chatId }, { caller, services }) =>
      services.subscriptions.typingChanged(await caller.session(), chatId ?? undefined),
    resolve: (event) => event.change,
  }),
);
