import { builder } from "./builder.ts";
import { HISTORY_COST, REQUEST_COST } from "./cost.ts";
import { DEPENDS_ON_VIEWER } from "./viewer.ts";

builder.objectType("Chat", {
  fields: (t) => ({
    id: t.exposeID("id"),
    title: t.exposeString("title", { nullable: true, description: "A display name, where the REST API has one." }),
    participants: t.field({ type: ["User"], resolve: (chat) => [...chat.participants] }),
    presence: t.field({
      type: ["Presence"],
      description: "The presence of every other participant.",
      extensions: DEPENDS_ON_VIEWER,
      resolve: async (chat, _args, { caller, loaders }) => {
        const { user } = await caller.identity();
        return Promise.all(
          chat.participants.filter(({ id }) => id !== user.id).map((other) => loaders.presence.load(other)),
        );
      },
    }),
    messages: t.field({
      type: "MessageConnection",
      description: "Messages in the order of creation: the newest `last` ones before the cursor `before`.",
      args: { last: t.arg.int({ required: true, defaultValue: 50 }), before: t.arg.string() },
      extensions: DEPENDS_ON_VIEWER,
      complexity: ({ last }) => ({ field: HISTORY_COST, multiplier: last }),
      resolve: (chat, { last, before }, { loaders }) =>
        loaders.history.load({ chatId: chat.id, last, before: before ?? undefined }),
    }),
    lastMessage: t.field({
      type: "Message",
      nullable: true,
      extensions: DEPENDS_ON_VIEWER,
      resolve: async (chat, _args, { loaders }) => {
        if (chat.lastMessage !== "history") return chat.lastMessage;
        const { messages } = await loaders.history.load({ chatId: chat.id, last: 1, before: undefined });
        return messages[0] ?? null;
      },
    }),
    unreadCount: t.int({
      description: "Messages that the viewer has not read.",
      extensions: DEPENDS_ON_VIEWER,
      resolve: async (chat, _args, { loaders, services }) =>
        chat.unreadCount ?? services.chats.unreadCount(await loaders.chats.load("all"), chat.id),
    }),
    createdAt: t.expose("createdAt", { type: "DateTime" }),
    updatedAt: t.expose("updatedAt", { type: "DateTime" }),
  }),
});

builder.queryFields((t) => ({
  chats: t.field({
    type: ["Chat"],
    description: "Every chat that the viewer takes part in, most recently updated first.",
    complexity: { field: REQUEST_COST },
    resolve: async (_root, _args, { loaders }) => [...(await loaders.chats.load("all"))],
  }),
  chat: t.field({
    type: "Chat",
    description: "One chat. NOT_FOUND if there is none, NOT_PARTICIPANT if the viewer is not in it.",
    args: { id: t.arg.id({ required: true }) },
    complexity: REQUEST_COST,
    resolve: (_root, { id }, { loaders }) => loaders.chat.load(id),
  }),
}));
