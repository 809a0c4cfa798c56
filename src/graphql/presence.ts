import { builder } from "./builder.ts";

builder.objectType("Presence", {
  fields: (t) => ({
    user: t.expose("user", { type: "User" }),
    online: t.exposeBoolean("online"),
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
    args: { chatId: t.arg.id() },
    subscribe: async (_root, { chatId }, { caller, services }) =>
      services.subscriptions.presenceChanged(await caller.session(), chatId ?? undefined),
    resolve: (event) => event.presence,
  }),
);
