/** A message's place in the stream, as clients carry it: opaque to them, self-contained for any instance. */
import { badInput } from "../errors.ts";
import type { Message } from "./model.ts";

/** What a cursor says. Messages of a chat are ordered by creation, then by id. */
export interface Position {
  readonly chatId: string;
  readonly createdAt: string;
  readonly id: string;
}

/** The first field tells a later gateway in which form the rest is. */
const VERSION = "1";

export function cursorOf(message: Pick<Message, "chatId" | "createdAt" | "id">): string {
  return Buffer.from(JSON.stringify([VERSION, message.createdAt, message.chatId, message.id])).toString("base64url");
}

/**
 * @param argument the argument that the cursor came in, for the error.
 * @throws GatewayError BAD_USER_INPUT where the text is no cursor of this gateway.
 */
export function parseCursor(cursor: string, argument: string): Position {
  const fields = decode(cursor);
  if (
    Array.isArray(fields) &&
    fields.length === 4 &&
    fields.every((field) => typeof field === "string") &&
    fields[0] === VERSION
  ) {
    const [, createdAt = "", chatId = "", id = ""] = fields;
    if (!Number.isNaN(Date.parse(createdAt))) return { createdAt, chatId, id };
  }
  throw badInput(argument, "This is not a cursor of this API.");
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    return undefined;
  }
}

/** Negative where `a` comes before `b`. */
export function comparePositions(a: Pick<Position, "createdAt" | "id">, b: Pick<Position, "createdAt" | "id">): number {
  // Instants are normalised to one ISO form, so that the order of the texts is the order of the times.
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1;
}
