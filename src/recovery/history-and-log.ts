/** Messages that the log does not have any more: the REST API has them, and the log has what was published last. */
import { type EventLog, type LogEntry } from "../bus/bus.ts";
import { parsePosition, type Position } from "../bus/position.ts";
import { compareByCreation, PUBLICATION_MARGIN_MS } from "../chat/cursor.ts";
import { idOf, type BusEvent } from "../chat/events/registry.ts";
import { chatTopic } from "../chat/events/topics.ts";
import type { History } from "../chat/history.ts";
import type { HistoryQuestion } from "../chat/history-selection.ts";
import type { Message, MessageName } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";

/** Whether a message is wanted; of one in the log, by its position too. */
export type IsWanted = (message: Message, position?: Position) => boolean;

/** A message, and its position in the log, whether or not the log has it still; undefined where nobody remembers one. */
export interface FoundMessage {
  /** With its position, where that is its place among the others too: a cursor at it has what is before it. */
  readonly message: Message;
  readonly position: Position | undefined;
}

/** The past of a chat. */
export interface FoundMessages {
  readonly found: readonly FoundMessage[];
  /** What is not wanted, of those that were created since the question's `hadSince`. */
  readonly had: readonly MessageName[];
}

/** What is wanted of both. */
export interface Wanted extends HistoryQuestion {
  readonly isWanted: IsWanted;
  /** Whether the cursors of messages may be places in the log. They are not in the order of instants, which joins several chats. */
  readonly areInLog: boolean;
}

interface Sources {
  readonly log: EventLog<BusEvent>;
  readonly history: Pick<History, "select">;
}

/**
 * Every message that is wanted and had been published when this was called, in the order of the log where a position is known, else of
 * creation.
 *
 * @throws GatewayError CURSOR_EXPIRED where they are too many; NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…; BusUnavailable
 */
export async function readMessages(
  { log, history }: Sources,
  session: Session,
  chatId: string,
  wanted: Wanted,
): Promise<FoundMessages> {
  const { isWanted, areInLog } = wanted;
  const { messages, had } = await history.select(session, chatId, {
    ...wanted,
    isWanted: (message) => isWanted(message),
  });
  // After the history: it is read in pages, and the log has what was written to a page that had been read before.
  const { entries } = await log.tail(chatTopic(chatId));
  const all = withLogged(messages, entries, isWanted);
  // Also of what the log has lost: positions are remembered for longer.
  const ids = all.map(({ message }) => idOf({ type: "message.created", chatId, message }));
  const positions = await log.positionsOf(chatTopic(chatId), ids);
  const placed = all.map(({ message, place }, index) => ({ message, position: positions[index] ?? place, place }));
  const found = inOrder(placed).map(({ message, position, place = position }) => {
    // One that was recovered has another place in the order than in the log.
    const isAtPosition = position !== undefined && position === place;
    return { message: areInLog && isAtPosition ? { ...message, position } : message, position };
  });
  return { found, had };
}

interface Placed extends FoundMessage {
  /** Where it is in the order of listeners, if the log has it. */
  readonly place: Position | undefined;
}

/** The messages of the history, and what the log has beside them, each once. */
export function withLogged(
  messages: readonly Message[],
  entries: readonly LogEntry<BusEvent>[],
  isWanted: IsWanted,
): readonly Omit<Placed, "position">[] {
  const read = new Map(messages.map((message) => [message.id, message]));
  const logged = entries.flatMap(({ event, position, order = position }) => {
    if (event.type !== "message.created") return [];
    const message = read.get(event.message.id) ?? (isWanted(event.message, position) ? event.message : undefined);
    return message ? [{ message, place: order }] : [];
  });
  const ids = new Set(logged.map(({ message }) => message.id));
  return [...logged, ...messages.filter(({ id }) => !ids.has(id)).map((message) => ({ message, place: undefined }))];
}

/** In the order of listeners. What was not published, as far as anybody remembers, comes behind everything created before it. */
export function inOrder(messages: readonly Placed[]): readonly Placed[] {
  // As the history has them.
  if (messages.every(isUnknown)) return messages;
  const published = messages
    .flatMap(({ message, position, place = position }) => (place === undefined ? [] : [{ message, position, place }]))
    .toSorted((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  // Of a log that was begun anew the positions say nothing about when: what is behind an entry there is not before it elsewhere.
  let firstMs = Infinity;
  const placed = published.map((found) => ({ ...found, orderMs: 0 }));
  for (const entry of placed.toReversed()) {
    entry.orderMs = firstMs = Math.min(firstMs, Date.parse(entry.message.createdAt));
  }
  const unknown = messages.filter(isUnknown).toSorted((a, b) => compareByCreation(a.message, b.message));
  return mergeByOrder(
    unknown.map((found) => ({ ...found, orderMs: Date.parse(found.message.createdAt) })),
    placed,
  );
}

/** Whether nobody remembers that it was published. */
function isUnknown({ position, place }: Placed): boolean {
  return position === undefined && place === undefined;
}

interface Ordered extends Placed {
  /** Milliseconds since the epoch. */
  readonly orderMs: number;
}

/** Keeps the order within each list. */
function mergeByOrder(created: readonly Ordered[], logged: readonly Ordered[]): readonly Placed[] {
  const merged: Placed[] = [];
  let next = 0;
  for (const entry of logged) {
    for (let first = created[next]; first && first.orderMs < entry.orderMs; first = created[++next]) merged.push(first);
    merged.push(entry);
  }
  return [...merged, ...created.slice(next)];
}

/** The instant from which on messages were created that may have been published after a position. */
export function createdSince(after: Position): string {
  // A clock that was ahead has made positions that are.
  const ms = Math.min(parsePosition(after).ms, Date.now());
  return new Date(Math.max(0, ms - PUBLICATION_MARGIN_MS)).toISOString();
}

/** Whether a message may have been published after a position, as far as the instant of its creation tells. */
export function isCreatedSince(after: Position): (message: Pick<Message, "createdAt">) => boolean {
  const since = createdSince(after);
  return ({ createdAt }) => createdAt >= since;
}
