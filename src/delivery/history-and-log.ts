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
 * has not got it: it is read in pages, and may have been written to a page that had been read before.
 */
function withLog(
  messages: readonly Message[],
  entries: readonly LogEntry<BusEvent>[],
  isWanted: (message: Message) => boolean,
): readonly Message[] {
  const logged = entries.flatMap(({ event }) => (event.type === "message.created" ? [event.message] : []));
  const wanted = new Map([...logged.filter(isWanted), ...messages].map((message) => [message.id, message]));
  const places = new Map(logged.map(({ id }, index) => [id, index]));
  const ordered = [...wanted.values()].toSorted(compareByCreation);
  const known = ordered
    .filter(({ id }) => places.has(id))
    .toSorted((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
  let next = 0;
  return ordered.map((message) => (places.has(message.id) ? (known[next++] ?? message) : message));
}

/** Whether a message may have been published after a position, as far as the instant of its creation tells. */
export function isCreatedSince(after: Position): (message: Pick<Message, "createdAt">) => boolean {
  const since = new Date(Math.max(0, parsePosition(after).ms - PUBLICATION_MARGIN_MS)).toISOString();
  return ({ createdAt }) => createdAt >= since;
}
