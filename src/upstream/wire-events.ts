/** What the backend says of its own accord: the bodies of `POST /events`. */
import { z } from "zod";
import { id, instant, wireChat, wireMessage } from "./wire.ts";

function event<Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return z.object({ type: z.literal(type), timestamp: z.string(), data });
}

export const wireEvent = z.discriminatedUnion("type", [
  event("message.created", z.object({ message: wireMessage })),
  event("message.read", z.object({ chatId: id, messageId: id.nullish(), userId: id, readAt: instant })),
  event("chat.created", z.object({ chat: wireChat })),
  event("chat.updated", z.object({ chat: wireChat })),
  event("chat.deleted", z.object({ chatId: id })),
  event("user.signed_out", z.object({ userId: id })),
]);

export type WireEvent = z.output<typeof wireEvent>;
