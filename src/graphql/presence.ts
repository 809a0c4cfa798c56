import { builder } from "./builder.ts";

builder.objectType("Presence", {
  description: "Whether somebody is connected: with at least one connection, on any device.",
  fields: (t) => ({
    id: t.id({ description: "The user's id, for normalised caches.", resolve: ({ user }) => user.id }),
    user: t.expose("user", { type: "User", description: "Who this is about." }),
    online: t.exposeBoolean("online", {
      description: "Whether the user has a connection; after the last one has closed, true for PRESENCE_GRACE more.",
    }),
    lastSeenAt: t.expose("lastSeenAt", {
      type: "DateTime",
      nullable: true,
      description: "When the user was last online; null while online or where nobody knows.",
    }),
  }),
});

builder.subscriptionField("presenceChanged", (t) =>
  t.field({
    type: "Presence",
    description: "Others who share a chat with the viewer going online and offline; who is online now comes first.",
    args: { chatId: t.arg.id({ description: "One chat only. Without it: of every chat of the viewer." }) },
    subscribe: async (_root, { chatId }, { caller, services }) =>
      services.subscriptions.presenceChanged(await caller.session(), chatId ?? undefined),
    resolve: (event) => event.presence,
  }),
);
