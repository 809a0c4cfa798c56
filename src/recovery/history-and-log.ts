/** Messages that the log does not have any more: the REST API has them, and the log has what was published last. */
import { type EventLog, type LogEntry } from "../bus/bus.ts";
import { parsePosition, type Position } from "../bus/position.ts";
import { compareByCreation, positionOfCreation, PUBLICATION_MARGIN_MS } from "../chat/cursor.ts";
import type { BusEvent } from "../chat/events/registry.ts";
import { chatTopic } from "../chat/events/topics.ts";
import type { History } from "../chat/history.ts";
import type { Message } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";

/** Whether a message is wanted; of one in the log, by its position too. */
export type IsWanted = (message: Message, position?: Position) => boolean;

interface Sources {
  readonly log: EventLog<BusEvent>;
  readonly history: Pick<History, "select">;
  /** The maximum number of messages out of the history. */
  readonly limit: number;
}

/**
 * Every message that `isWanted` and had been published when this was called, in the order of the log where it has them, else of
 * creation.
 *
 * @throws GatewayError CURSOR_EXPIRED where they are too many; NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…; BusUnavailable
 */
export async function readMessages(
  { log, history, limit }: Sources,
  session: Session,
  chatId: string,
  isWanted: IsWanted,
): Promise<readonly Message[]> {
  const messages = await history.select(session, chatId, (message) => isWanted(message), limit);
  // After the history: it is read in pages, and the log has what was written to a page that had been read before.
  const { entries } = await log.tail(chatTopic(chatId));
  return withLog(messages, entries, isWanted);
}

/** The messages of both, each once. */
export function withLog(
  messages: readonly Message[],
  entries: readonly LogEntry<BusEvent>[],
  isWanted: IsWanted,
): readonly Message[] {
  const read = new Map(messages.map((message) => [message.id, message]));
  const logged = entries.flatMap(({ event, position, order = position }) => {
    if (event.type !== "message.created") return [];
    const message = read.get(event.message.id) ?? (isWanted(event.message, position) ? event.message : undefined);
    return message ? [{ message, order }] : [];
  });
  // Of a log that was begun anew the positions say nothing about when: what is behind an entry there is not before it elsewhere.
  let first: Position | undefined;
  for (let index = logged.length - 1; index >= 0; index--) {
    const entry = logged[index];
    if (!entry) continue;
    const created = positionOfCreation(entry.message);
    first = first !== undefined && first < created ? first : created;
    logged[index] = { message: entry.message, order: first };
  }
  const ids = new Set(logged.map(({ message }) => message.id));
  const rest = messages.filter(({ id }) => !ids.has(id)).toSorted(compareByCreation);
  return mergeByOrder(
    rest.map((message) => ({ message, order: positionOfCreation(message) })),
    logged,
  );
}

interface Ordered {
  readonly message: Message;
  readonly order: Position;
}

/** Keeps the order within each list. */
function mergeByOrder(created: readonly Ordered[], logged: readonly Ordered[]): readonly Message[] {
  const merged: Message[] = [];
  let next = 0;
  for (const { message, order } of logged) {
    for (let first = created[next]; first && first.order <= order; first = created[++next]) merged.push(first.message);
    merged.push(message);
  }
  return [...merged, ...created.slice(next).map(({ message }) => message)];
}

/** Whether a message may have been published after a position, as far as the instant of its creation tells. */
export function isCreatedSince(after: Position): (message: Pick<Message, "createdAt">) => boolean {
  // A clock that was ahead has made positions that are.
  const ms = Math.min(parsePosition(after).ms, Date.now());
  const since = new Date(Math.max(0, ms - PUBLICATION_MARGIN_MS)).toISOString();
  return ({ createdAt }) => createdAt >= since;
}
