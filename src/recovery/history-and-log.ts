/** Messages of a chat that the log does not have any more: the REST API has them, and the log has what was published last. */
import { whereReachable, type EventLog, type LogEntry } from "../bus/bus.ts";
import { parsePosition, type Position } from "../bus/position.ts";
import { compareByCreation, PUBLICATION_MARGIN_MS } from "../chat/cursor.ts";
import { chatTopic, type BusEvent } from "../chat/events.ts";
import type { History } from "../chat/history.ts";
import type { Message } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";

interface Sources {
  readonly log: EventLog<BusEvent>;
  readonly history: Pick<History, "select">;
  /** Messages of the history at most. */
  readonly limit: number;
}

/**
 * Every message that `isWanted` and had been published when this was called, in the order in which they were given to whoever heard
 * them.
 *
 * @throws GatewayError CURSOR_EXPIRED where they are too many; NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
 */
export async function readMessages(
  { log, history, limit }: Sources,
  session: Session,
  chatId: string,
  isWanted: (message: Message) => boolean,
): Promise<readonly Message[]> {
  const messages = await history.select(session, chatId, isWanted, limit);
  // After the history: what was written to a page that had been read already is there.
  const tail = await whereReachable(log.tail(chatTopic(chatId)), undefined);
  return withLog(messages, tail?.entries ?? [], isWanted);
}

/**
 * The history has the order of creation. What the log has goes in the log's, in which everybody else was given it, though the history
 * has not got it: it is read in pages, and may have been written to a page that had been read before. What the log has not got may be
 * on its way there, behind what its sender said before: a log that has just been begun anew has some of it, in an order of its own.
 */
export function withLog(
  messages: readonly Message[],
  entries: readonly LogEntry<BusEvent>[],
  isWanted: (message: Message) => boolean,
): readonly Message[] {
  const read = new Map(messages.map((message) => [message.id, message]));
  const logged = new Map(
    entries.flatMap(({ event }) =>
      event.type === "message.created" ? [[event.message.id, event.message] as const] : [],
    ),
  );
  const spine = [...logged.values()].flatMap((message) => read.get(message.id) ?? (isWanted(message) ? message : []));
  // What stands right before each of the logged ones, and after the last.
  const between: Message[][] = Array.from({ length: spine.length + 1 }, () => []);
  for (const message of messages.filter(({ id }) => !logged.has(id)).toSorted(compareByCreation)) {
    between[placeAmong(spine, message)]?.push(message);
  }
  return between.flatMap((before, index) => [...before, ...spine.slice(index, index + 1)]);
}

/** Before what was created later, but after everything of its sender that was created before. */
function placeAmong(spine: readonly Message[], message: Message): number {
  const isEarlier = (other: Message): boolean => compareByCreation(other, message) < 0;
  const start = spine.findLastIndex((other) => other.sender.id === message.sender.id && isEarlier(other)) + 1;
  const index = spine.findIndex((other, at) => at >= start && !isEarlier(other));
  return index === -1 ? spine.length : index;
}

/** Whether a message may have been published after a position, as far as the instant of its creation tells. */
export function isCreatedSince(after: Position): (message: Pick<Message, "createdAt">) => boolean {
  const since = new Date(Math.max(0, parsePosition(after).ms - PUBLICATION_MARGIN_MS)).toISOString();
  return ({ createdAt }) => createdAt >= since;
}
