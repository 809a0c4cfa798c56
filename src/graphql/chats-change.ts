import { builder } from "./builder.ts";
import { REQUEST_COST } from "./cost.ts";
import { inPieces } from "./in-pieces.ts";
import { DEPENDS_ON_VIEWER } from "./viewer.ts";

builder.objectType("ChatsChange", {
  description: "What has changed in the viewer's list of chats.",
  fields: (t) => ({
    isSnapshot: t.exposeBoolean("isSnapshot", {
      description: "True where `changed` holds every chat of the viewer: what the client has beside them is gone.",
    }),
    changed: t.field({
      type: ["Chat"],
      description:
        "New and changed chats, with absolute values (`unreadCount`, `lastMessage`): a client never counts by itself.",
      extensions: DEPENDS_ON_VIEWER,
      resolve: ({ changed }, _args, context) => inPieces(changed, context),
    }),
    removedIds: t.idList({
      description: "Chats that the viewer is no longer in.",
      resolve: ({ removedIds }) => [...removedIds],
    }),
  }),
});

builder.subscriptionField("chatsChanged", (t) =>
  t.field({
    type: "ChatsChange",
    description:
      "The viewer's list of chats, live: created, joined, left, deleted, renamed; new last message; new unread count.\n" +
      "The first event is a snapshot of the whole list, after a reconnect too. Changes that come close together arrive in one event.",
    complexity: { field: REQUEST_COST },
    extensions: DEPENDS_ON_VIEWER,
    subscribe: async (_root, _args, { caller, services }) =>
      services.subscriptions.chatsChanged(await caller.session()),
    resolve: (change) => change,
  }),
);
