/** Messages of a chat that its listeners miss and that the log has lost: the REST API has them. */
import type { RecoveredEvent } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import type { BusEvent } from "../chat/events/registry.ts";
import type { MessageCreated } from "../chat/events/message-created.ts";
import type { History } from "../chat/history.ts";
import type { Message } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";
import { onBehalfOf } from "../call-origin.ts";
import { GatewayError, hasCode } from "../errors.ts";
import type { Log } from "../log.ts";
import { isCreatedSince } from "../recovery/history-and-log.ts";
import type { Room } from "./room.ts";

/** How many listeners are tried before a chat counts as unreadable. */
const MAX_TRIED = 3;

interface RecoveryOptions {
  readonly history: Pick<History, "select">;
  /** Messages that are read of a chat's history at most. */
  readonly replayLimit: number;
  readonly log: Log;
}

/** Never rejects: where the history cannot be read, or has too much, the subscriptions to messages end, and it resolves to undefined. */
export async function recoverRoom(
  { history, replayLimit, log }: RecoveryOptions,
  room: Room,
  after: Position,
  isKnown: (event: BusEvent) => boolean,
): Promise<readonly RecoveredEvent<BusEvent>[] | undefined> {
  try {
    // On nobody's behalf, though somebody's message may have shown that others are missing.
    return await onBehalfOf(undefined, () => recoverMessages(history, room, { after, isKnown, limit: replayLimit }));
  } catch (error) {
    log.warn({ err: error, chatId: room.chatId }, "messages of a chat were missed and cannot be read");
    const lists = [...room.audience.values(), room.direct];
    for (const subscriber of lists.flatMap((list) => [...list.of("message.created")])) {
      if (subscriber.missed) subscriber.missed(room.chatId);
      else subscriber.end(new GatewayError("CURSOR_EXPIRED"));
    }
    return undefined;
  }
}

interface Missing {
  readonly after: Position;
  /** Need not be read, and does not count. */
  readonly isKnown: (event: BusEvent) => boolean;
  readonly limit: number;
}

/**
 * The messages that may have been published after a position, read with the rights of a listener: each of those is a member, and one
 * whose token has just ended is passed over. The history has no receipts; the messages themselves say whether they were read.
 *
 * @throws GatewayError CURSOR_EXPIRED where they are more than `limit`; NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
 */
async function recoverMessages(
  history: Pick<History, "select">,
  room: Room,
  { after, isKnown, limit }: Missing,
): Promise<readonly RecoveredEvent<BusEvent>[]> {
  const { chatId } = room;
  const eventOf = (message: Message): MessageCreated => ({ type: "message.created", chatId, message });
  const isSince = isCreatedSince(after);
  const isWanted = (message: Message): boolean => isSince(message) && !isKnown(eventOf(message));
  const messages = await firstAllowed(room.sessions(), (session) =>
    history.select(session, chatId, { isWanted, limit }).then(({ messages: found }) => found),
  );
  return messages.map((message) => ({ event: eventOf(message), atMs: Date.parse(message.createdAt) }));
}

/** Does the work for the first session that may; nothing where there is none. Rejects as the last one that was tried. */
async function firstAllowed<T>(
  sessions: Iterable<Session>,
  work: (session: Session) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const refusals: GatewayError[] = [];
  for (const session of sessions) {
    try {
      return await work(session);
    } catch (error) {
      if (!hasCode(error, "UNAUTHENTICATED", "NOT_PARTICIPANT") || refusals.push(error) === MAX_TRIED) throw error;
    }
  }
  const [refusal] = refusals;
  if (refusal) throw refusal;
  return [];
}
