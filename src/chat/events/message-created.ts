import { z } from "zod";
import type { Message } from "../model.ts";
import { defineEvent, type EventFrom } from "./definition.ts";
import { user } from "./user.ts";

const message: z.ZodType<Message> = z.object({
  id: z.string(),
  chatId: z.string(),
  sender: user,
  content: z.string(),
  createdAt: z.string(),
  readAt: z.string().nullable(),
  clientMessageId: z.string().nullable(),
  readBy: z
    .array(z.object({ userId: z.string(), readAt: z.string() }))
    .readonly()
    .optional(),
});

/** The REST API has persisted a message. */
export const messageCreated = defineEvent({
  name: "message.created",
  shape: { chatId: z.string(), message },
  kind: "durable",
  id: (event) => `message ${event.message.id}`,
  time: (event) => Date.parse(event.message.createdAt),
  topic: "chat",
  recipients: "subscribers",
  // The message's cursor is made of it.
  withPosition: (event, position) => ({ ...event, message: { ...event.message, position } }),
  cursor: (event, cursors) => cursors.of(event.message),
});

export type MessageCreated = EventFrom<typeof messageCreated>;
