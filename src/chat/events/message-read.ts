import { z } from "zod";
import type { ReadReceipt } from "../model.ts";
import { defineEvent, type EventFrom } from "./definition.ts";
import { user } from "./user.ts";

const receipt: z.ZodType<ReadReceipt> = z.object({
  chatId: z.string(),
  messageId: z.string().nullable(),
  reader: user,
  readAt: z.string(),
});

/** Somebody has marked a message, or a whole chat, as read. */
export const messageRead = defineEvent({
  name: "message.read",
  // An id of its own: marking twice are two events.
  shape: { id: z.string(), chatId: z.string(), receipt },
  kind: "durable",
  id: ({ id }) => id,
  topic: "chat",
  recipients: "subscribers",
});

export type MessageRead = EventFrom<typeof messageRead>;
