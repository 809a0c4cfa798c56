/** The published schema. It holds no state: any number of gateways may share it. */
import type { GraphQLSchema } from "graphql";
import { builder } from "./builder.ts";
import "./chat.ts";
import "./chats-change.ts";
import "./message.ts";
import "./presence.ts";
import "./receipt.ts";
import "./scalars.ts";
import "./typing.ts";
import "./user.ts";

export function buildSchema(): GraphQLSchema {
  return builder.toSchema();
}
