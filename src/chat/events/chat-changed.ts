import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { user } from "./user.ts";

/** What can change in a chat beside its messages and members. */
const details = z.object({ title: z.string().nullable(), updatedAt: z.string() }).readonly();

export type ChatDetails = z.output<typeof details>;

/** Somebody was added to a chat or removed from it, or the chat is new or has another title. It names everybody who is in it now. */
export const chatChanged = defineEvent({
  name: "chat.changed",
  shape: { id: z.string(), chatId: z.string(), participants: z.array(user).readonly(), details: details.optional() },
  kind: "durable",
  id: ({ id }) => id,
  topic: "users",
  recipients: "instances",
});
