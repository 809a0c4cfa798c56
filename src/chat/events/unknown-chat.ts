import { z } from "zod";
import { defineEvent } from "./definition.ts";

/** Something is about to be published in a chat that no connected user of the publishing instance is known to be in. */
export const unknownChat = defineEvent({
  name: "chat.unknown",
  /** `messageId`: of the message, or what else tells the event from others. */
  shape: { chatId: z.string(), messageId: z.string() },
  // Its position tells from where the log has events for a user who learns of the chat later.
  kind: "durable",
  id: ({ messageId }) => messageId,
  topic: "unknown-chats",
  recipients: "instances",
});
