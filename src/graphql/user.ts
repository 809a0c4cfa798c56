import { builder } from "./builder.ts";
import { REQUEST_COST } from "./cost.ts";
import { DEPENDS_ON_VIEWER } from "./viewer.ts";

builder.objectType("User", {
  description: "Somebody who uses the chat.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "The REST API's id of the user; opaque." }),
    name: t.exposeString("name", { description: "The display name; the id where the REST API has no name." }),
    presence: t.field({
      type: "Presence",
      description: "Of somebody who shares a chat with the viewer; of others, offline with `lastSeenAt` null.",
      extensions: DEPENDS_ON_VIEWER,
      resolve: (user, _args, { loaders }) => loaders.visiblePresence.load(user),
    }),
  }),
});

builder.objectType("Me", {
  description: "The authenticated user, with what only that user may see.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "The id of the viewer, the same as `User.id`." }),
    name: t.exposeString("name", { description: "The display name; the id where the REST API has no name." }),
    email: t.exposeString("email", { description: "The e-mail address; empty where the REST API has none." }),
    role: t.exposeString("role", {
      nullable: true,
      description: "The role that the REST API gives the user, such as `admin`; null where it has none.",
    }),
  }),
});

builder.mutationField("refreshToken", (t) =>
  t.field({
    type: "Me",
    description: "Gives the running connection a fresh token for the same user, without reconnecting.",
    args: { token: t.arg.string({ required: true, description: "A token that the REST API accepts." }) },
    complexity: REQUEST_COST,
    resolve: (_root, { token }, { caller }) => caller.refresh(token),
  }),
);

builder.queryField("me", (t) =>
  t.field({
    type: "Me",
    description: "The authenticated user.",
    complexity: REQUEST_COST,
    resolve: async (_root, _args, { caller }) => (await caller.identity()).user,
  }),
);
