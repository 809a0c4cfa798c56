import { builder } from "./builder.ts";
import { REQUEST_COST } from "./cost.ts";

builder.objectType("User", {
  fields: (t) => ({
    id: t.exposeID("id"),
    name: t.exposeString("name"),
  }),
});

builder.objectType("Me", {
  fields: (t) => ({
    id: t.exposeID("id"),
    name: t.exposeString("name"),
    email: t.exposeString("email"),
    role: t.exposeString("role", { nullable: true }),
  }),
});

builder.mutationField("refreshToken", (t) =>
  t.field({
    type: "Me",
    description: "Gives the running connection a fresh token for the same user, without reconnecting.",
    args: { token: t.arg.string({ required: true }) },
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
