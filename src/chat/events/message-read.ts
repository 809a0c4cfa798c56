import { z } from "zod";
import type { ReadReceipt } from "../model.ts";
import { defineEvent, type EventFrom } from "./definition.ts";
import { user } from "./user.ts";

const receiptShape: z.ZodType<ReadReceipt> = z.object({
  chatId: z.string(),
  messageId: z.string().nullable(),
  reader: user,
  readAt: z.string(),
});

/**
 * Receipts for single messages that the log keeps of one reader. One for the whole chat takes the place of all that the reader has sent before
 * it, unless one of those was made later.
 */
const KEPT_PER_READER = 50;

/** Somebody has marked a message, or a whole chat, as read. */
export const messageRead = defineEvent({
  name: "message.read",
  // An id of its own: marking twice are two events.
  // `isLate`: a receipt of the same reader that was made later has been published before it.
  shape: { id: z.string(), chatId: z.string(), receipt: receiptShape, isLate: z.boolean().optional() },
  kind: "durable",
  id: ({ id }) => id,
  compaction: ({ receipt, isLate }) => ({
    key: receipt.reader.id,
    keeps: receipt.messageId === null && isLate !== true ? 1 : KEPT_PER_READER,
  }),
  topic: "chat",
  recipients: "subscribers",
});

export type MessageRead = EventFrom<typeof messageRead>;
