/**
 * The REST API's shapes, as they cross the wire. Unknown fields are tolerated everywhere. A needed field that is missing or mistyped
 * fails the parse, with its path; display names fall back to ids, and other optional fields that cannot be read count as absent.
 */
import { z } from "zod";
import { transform } from "zod/mini";
import { normaliseInstant } from "./instant.ts";

/** An instant in any form that `Date` reads, normalised to ISO 8601, UTC, milliseconds. */
export const instant = instantWith("milliseconds");

/** As {@link instant}, with the digits beyond milliseconds where the API has sent some: messages are ordered by them. */
const preciseInstant = instantWith("full");

function instantWith(precision: "milliseconds" | "full") {
  return transformed(z.string(), (value, { issues }) => {
    const normalised = normaliseInstant(value, precision);
    if (normalised !== undefined) return normalised;
    issues.push({ code: "custom", message: "expected an ISO 8601 instant", input: value });
    return z.NEVER;
  });
}

/**
 * As `schema.transform` of zod's classic API, which assigns a function literal to a property of each value that it is given: V8 allocates
 * those where only a major collection frees them, and with them whole messages.
 */
function transformed<Schema extends z.ZodType, Output>(
  schema: Schema,
  change: (value: z.output<Schema>, payload: z.core.ParsePayload) => Output,
) {
  return z.pipe(schema, transform(change));
}

/** An opaque id: a UUID in one deployment, 32 hex digits in another. */
export const id = z.string().min(1);

/** What is shown of somebody; undefined where the API has nothing to show. */
const displayName = z.string().min(1).optional().catch(undefined);

/** When something was read. The year 1, in which the times of Go and .NET begin, stands for never. */
export const readInstant = instant.refine(
  (value) => !value.startsWith("0001-"),
  "expected a time at which it was read",
);

/** Somebody who has read a message, and when. */
const reader = z.object({ userId: id, readAt: readInstant });

/** Those that can be read: one that cannot hides no other. */
const readers = transformed(z.array(reader.nullable().catch(null)), (list) => list.filter((each) => each !== null));

export const wireMessage = transformed(
  z.object({
    id,
    chatId: id,
    senderId: id,
    senderName: displayName,
    content: z.string(),
    createdAt: preciseInstant,
    readAt: readInstant.nullish().catch(undefined),
    /** Who has read it and when, where the deployment sends it. */
    readBy: readers.nullish().catch(undefined),
  }),
  ({ senderName, readBy, ...message }) => {
    const readAt = message.readAt ?? firstRead(message.senderId, readBy ?? []);
    return {
      ...message,
      senderName: senderName ?? message.senderId,
      ...(readAt === undefined ? {} : { readAt }),
      ...(readBy ? { readBy } : {}),
    };
  },
);

/** When the first of the others read a message. */
function firstRead(senderId: string, readBy: readonly { userId: string; readAt: string }[]): string | undefined {
  const instants = readBy.filter(({ userId }) => userId !== senderId).map(({ readAt }) => readAt);
  return instants.toSorted()[0];
}

export const wireChat = transformed(
  z.object({
    id,
    /** One that is null was a user who is no more. */
    participants: z.array(id.nullish()),
    participantNames: z.array(displayName).optional().catch(undefined),
    storeName: z.string().nullish().catch(undefined),
    /** A Message in most deployments, something else (a preview text) in others: looked at by who needs it. */
    lastMessage: z.unknown().optional(),
    /** As far as an Int of GraphQL goes. */
    unreadCount: z.int32().nonnegative().nullish().catch(undefined),
    createdAt: instant,
    updatedAt: instant,
  }),
  ({ participants, participantNames = [], ...chat }) => {
    const members = participants.flatMap((userId, index) => {
      return userId === null || userId === undefined ? [] : [{ userId, name: participantNames[index] ?? userId }];
    });
    return {
      ...chat,
      participants: members.map(({ userId }) => userId),
      participantNames: members.map(({ name }) => name),
    };
  },
);

export const wireUser = transformed(
  z.object({
    userId: id,
    email: z.string().catch(""),
    name: displayName,
    role: z.string().nullish().catch(undefined),
  }),
  ({ name, ...user }) => ({ ...user, name: name ?? user.userId }),
);

export const wireProfile = z.object({ user: wireUser });

export const wireChats = z.object({ chats: z.array(wireChat) });
export const wireChatAnswer = z.object({ chat: wireChat });
export const wireMessageAnswer = z.object({ message: wireMessage });

/** Where the next page begins, in the second dialect. An empty object, as well as null or nothing, says that there is none. */
export const pageKey = z.preprocess(
  (value) => (typeof value === "object" && value !== null && Object.keys(value).length === 0 ? null : value),
  z.object({ id }).nullish(),
);

/** Where the next page begins, in the first dialect: a number is as good as a text, and false says that there is none. */
const pageToken = z.preprocess(
  (value) => (typeof value === "number" ? String(value) : value === false ? null : value),
  z.string().nullish(),
);

/** One page of history. Two paging dialects exist; a page has the continuation of one of them, or is the last. An empty one is none. */
export const wirePage = z.object({
  messages: z.array(wireMessage),
  nextToken: pageToken,
  lastEvaluatedKey: pageKey,
});

/** A list whose records are read one by one, so that one that cannot be read hides no other. */
const records = z.array(z.unknown());

/** As {@link wireChats}, the chats still to be read. */
export const wireChatRecords = wireChats.extend({ chats: records });

/** As {@link wirePage}, the messages still to be read. */
export const wirePageOfRecords = wirePage.extend({ messages: records });

/** `readAt` where the deployment sends it. JSON that is no object, such as `"ok"` or `true`, says that it is done as well as no body does. */
export const wireReadAnswer = z.preprocess(
  (body) => (typeof body === "object" && body !== null && !Array.isArray(body) ? body : {}),
  z.object({ readAt: readInstant.nullish().catch(undefined) }),
);

export type WireMessage = z.output<typeof wireMessage>;
export type WireChat = z.output<typeof wireChat>;
export type WireProfile = z.output<typeof wireUser>;
export type WirePage = z.output<typeof wirePage>;
export type WirePageOfRecords = z.output<typeof wirePageOfRecords>;
