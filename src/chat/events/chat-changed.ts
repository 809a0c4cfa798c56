import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { user } from "./user.ts";

/** Somebody was added to a chat or removed from it, or the chat is new. It names everybody who is in it now. */
export const chatChanged = defineEvent({
  name: "chat.changed",
  shape: { id: z.string(), chatId: z.string(), participants: z.array(user).readonly() },
  kind: "durable",
  id: ({ id }) => id,
  topic: "users",
  recipients: "instances",
});
