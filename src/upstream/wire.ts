/**
 * The REST API's shapes, as they cross the wire. Unknown fields are tolerated everywhere; a missing or mistyped needed field
 * fails the parse, with its path.
 */
import { z } from "zod";

/** An instant in any form that `Date` reads, normalised to ISO 8601, UTC, milliseconds. */
export const instant = z.string().transform((value, context) => {
  const date = new Date(value);
  const normalised = Number.isNaN(date.getTime()) ? "" : date.toISOString();
  // Years of more than four digits would be out of order as texts, which is how instants are compared.
  if (/^\d{4}-/.test(normalised)) return normalised;
  context.addIssue({ code: "custom", message: "expected an ISO 8601 instant" });
  return z.NEVER;
});

/** An opaque id: a UUID in one deployment, 32 hex digits in another. */
export const id = z.string().min(1);

export const wireMessage = z.object({
  id,
  chatId: id,
  senderId: id,
  senderName: z.string(),
  content: z.string(),
  createdAt: instant,
  readAt: instant.nullish(),
});

export const wireChat = z.object({
  id,
  participants: z.array(id),
  participantNames: z.array(z.string()),
  storeName: z.string().nullish(),
  /** A Message in most deployments, something else (a preview text) in others: looked at by who needs it. */
  lastMessage: z.unknown().optional(),
  unreadCount: z.number().int().nonnegative().nullish(),
  createdAt: instant,
  updatedAt: instant,
});

export const wireProfile = z.object({
  user: z.object({ userId: id, email: z.string(), name: z.string(), role: z.string().nullish() }),
});

export const wireChats = z.object({ chats: z.array(wireChat) });
export const wireChatAnswer = z.object({ chat: wireChat });
export const wireMessageAnswer = z.object({ message: wireMessage });

/** One page of history. Two paging dialects exist; a page has the continuation of one of them, or is the last. */
export const wirePage = z.object({
  messages: z.array(wireMessage),
  nextToken: z.string().min(1).nullish(),
  lastEvaluatedKey: z.object({ id }).nullish(),
});

/** `readAt` where the deployment sends it. */
export const wireReadAnswer = z.object({ readAt: instant.nullish() }).nullish();

export type WireMessage = z.output<typeof wireMessage>;
export type WireChat = z.output<typeof wireChat>;
export type WireProfile = z.output<typeof wireProfile>["user"];
export type WirePage = z.output<typeof wirePage>;
