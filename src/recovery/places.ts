/** The places of messages of one chat's history among the events of other chats. */
import type { Position } from "../bus/position.ts";
import { compareByCreation, positionOfInstant } from "../chat/cursor.ts";
import type { Message } from "../chat/model.ts";
import type { FoundMessage } from "./history-and-log.ts";

export interface Place {
  /** Orders messages of several chats. */
  readonly order: Position;
  /** An instant: the message, and those after it in its chat, were created then or later. */
  readonly oldestFromHere: string;
}

export function isInOrderOfCreation(messages: readonly Message[]): boolean {
  return messages.every(
    (message, index) => index === 0 || compareByCreation(messages[index - 1] ?? message, message) <= 0,
  );
}

/** By id. The messages stay in the order in which they are. */
export function placesOf(found: readonly FoundMessage[]): ReadonlyMap<string, Place> {
  let next: Place | undefined;
  const places = found.toReversed().map((each): [string, Place] => [each.message.id, (next = placeOf(each, next))]);
  return new Map(places);
}

/** As the log orders it where a position is known, since events of other chats may come out of the log. */
export function placeOf(
  { message: { createdAt }, position = positionOfInstant(createdAt) }: FoundMessage,
  next?: Place,
): Place {
  const oldestFromHere = next && next.oldestFromHere < createdAt ? next.oldestFromHere : createdAt;
  return { order: next && next.order < position ? next.order : position, oldestFromHere };
}
