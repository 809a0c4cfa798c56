/** What another instance puts on the bus is looked at before it is believed: it may be of another version, or of somebody else. */
import { z } from "zod";
import type { BusEvent } from "./events.ts";

const user = z.object({ id: z.string(), name: z.string() });

const message = z.object({
  id: z.string(),
  chatId: z.string(),
  sender: user,
  content: z.string(),
  createdAt: z.string(),
  readAt: z.string().nullable(),
  clientMessageId: z.string().nullable(),
});

const receipt = z.object({ chatId: z.string(), messageId: z.string().nullable(), reader: user, readAt: z.string() });

const identified = { id: z.string(), chatId: z.string() };

const busEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("message.created"), chatId: z.string(), message }),
  z.object({ type: z.literal("message.read"), ...identified, receipt }),
  z.object({
    type: z.literal("typing.changed"),
    chatId: z.string(),
    expiresInMs: z.number().optional(),
    change: z.object({ chatId: z.string(), user, isTyping: z.boolean() }),
  }),
  z.object({
    type: z.literal("presence.changed"),
    presence: z.object({ user, online: z.boolean(), lastSeenAt: z.string().nullable() }),
  }),
  z.object({ type: z.literal("chat.changed"), ...identified, participants: z.array(user) }),
  z.object({ type: z.literal("chat.deleted"), ...identified }),
  z.object({ type: z.literal("membership.ended"), ...identified, userId: z.string() }),
  z.object({ type: z.literal("user.signed_out"), id: z.string(), userId: z.string() }),
]);

/** The event, or undefined where the value is none. */
export function decodeEvent(value: unknown): BusEvent | undefined {
  return busEvent.safeParse(value).data;
}
