import { z } from "zod";
import { defineEvent } from "./definition.ts";

/** A chat is gone, and every membership with it. */
export const chatDeleted = defineEvent({
  name: "chat.deleted",
  shape: { id: z.string(), chatId: z.string() },
  kind: "durable",
  id: ({ id }) => id,
  topic: "users",
  recipients: "instances",
});
