/** A message's position in the stream, as clients hold it: opaque to them, self-contained for any instance. */
import { z } from "zod";
import { firstAt, isPosition, type Position } from "../bus/position.ts";
import { badInput } from "../errors.ts";
import type { Message } from "./model.ts";

/** The position that a cursor holds. Messages of a chat are ordered by creation, equal instants as the REST API has them. */
export interface CursorPosition {
  readonly chatId: string;
  readonly createdAt: string;
  readonly id: string;
  /** Where the log has the message, if the cursor comes from there: its owner has everything before it in the log. */
  readonly position: Position | undefined;
  /** Messages that its owner has too although the instant does not tell: of the same instant, or not published yet. */
  readonly seen: readonly string[];
}

/** The first field tells a later gateway in which form the rest is. */
const VERSION = "1";

/**
 * How long a message may take from its creation to the log, and how far the clocks of the REST API and of the bus may be apart: what
 * was created so long before an instant may have been published after it.
 */
export const PUBLICATION_MARGIN_MS = 10_000;

/**
 * How far a cursor may be ahead of this machine's clock, in milliseconds: clocks differ, and some APIs write local times without saying so. A
 * message that is still to be created has no cursor.
 */
const MAX_AHEAD_MS = 24 * 3_600_000;

/** Ids that a cursor carries at most. */
export const MAX_SEEN = 50;

const cursorShape = z.tuple([
  z.literal(VERSION),
  z.string().refine((text) => !Number.isNaN(Date.parse(text))),
  z.string(),
  z.string(),
  z.union([z.string().refine(isPosition), z.array(z.string())]).optional(),
]);

/**
 * A message that came over the bus has the log's order, one out of the history the order of creation; the two differ where somebody
 * else's message was created first and published last. The cursor says in which of them it is a place.
 */
export function cursorOf({ chatId, createdAt, id, position, seen = [] }: Message): string {
  const fields: unknown[] = [VERSION, createdAt, chatId, id];
  if (position !== undefined) fields.push(position);
  else if (seen.length > 0) fields.push(seen.slice(-MAX_SEEN));
  return Buffer.from(JSON.stringify(fields)).toString("base64url");
}

/**
 * @param argument the argument that the cursor came in, for the error.
 * @throws GatewayError BAD_USER_INPUT where the text is no cursor of this gateway.
 */
export function parseCursor(cursor: string, argument: string): CursorPosition {
  const { data } = cursorShape.safeParse(decode(cursor));
  if (!data) throw badInput(argument, "This is not a cursor of this API.");
  const [, createdAt, chatId, id, rest = []] = data;
  return typeof rest === "string"
    ? { createdAt, chatId, id, position: rest, seen: [] }
    : { createdAt, chatId, id, position: undefined, seen: rest };
}

/**
 * Refuses a cursor that no message can have: it would be forged, to have everything read that there is.
 *
 * @throws GatewayError BAD_USER_INPUT where it is of a time that is still to come.
 */
export function requirePast({ createdAt, position }: CursorPosition, argument: string): void {
  const latestMs = Date.now() + MAX_AHEAD_MS;
  if (Date.parse(createdAt) <= latestMs && (position === undefined || position <= firstAt(latestMs))) return;
  throw badInput(argument, "This cursor is of a time that is still to come.");
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    return undefined;
  }
}

/** Where a message would be in the log, had it been published when it was created. */
export function positionOfCreation({ createdAt }: Pick<Message, "createdAt">): Position {
  return firstAt(Date.parse(createdAt));
}

/** Negative where `a` was created before `b`; 0 where their instants do not tell: a stable sort keeps the history's order then. */
export function compareByCreation(a: Pick<Message, "createdAt">, b: Pick<Message, "createdAt">): number {
  // Instants are normalised to one ISO form, so that the order of the texts is the order of the times.
  if (a.createdAt === b.createdAt) return 0;
  return a.createdAt < b.createdAt ? -1 : 1;
}

/** Whether a message was created after the one at a place, as far as instants tell; of the same instant what has not been seen is newer. */
export function isCreatedAfter(message: Pick<Message, "createdAt" | "id">, cursor: CursorPosition): boolean {
  if (message.createdAt !== cursor.createdAt) return message.createdAt > cursor.createdAt;
  return message.id !== cursor.id && !cursor.seen.includes(message.id);
}
