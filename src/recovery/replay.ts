/**
 * What comes before the live events of a subscription that goes on from somewhere: out of the log, and out of the REST API's history
 * where the log does not reach.
 */
import { EVENT_ID_TTL_MS, whereReachable, type EventLog, type LogEntry, type Mark } from "../bus/bus.ts";
import { earlier, positionAt, type Position } from "../bus/position.ts";
import { isCreatedAfter, PUBLICATION_MARGIN_MS, type Place } from "../chat/cursor.ts";
import { chatTopic, idOf, placed, type BusEvent, type ChatEvent, type MessageCreated } from "../chat/events.ts";
import type { History } from "../chat/history.ts";
import type { Message } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError } from "../errors.ts";
import { isCreatedSince, readMessages } from "./history-and-log.ts";

/** The events of which none may be missed. */
export type CountedEvent = Exclude<ChatEvent, { type: "typing.changed" }>;

/** From where: a place that the client names, or where it stood when its connection was lost. */
export type Since = { readonly place: Place } | { readonly mark: Mark };

/**
 * How long after a replay a message that is in it may still come by live: it was read from the history before it was published, which
 * an instance that is cut off does late.
 */
const OVERLAP_MS = EVENT_ID_TTL_MS;

export interface Replayed {
  readonly event: CountedEvent;
  /** Undefined out of the history. */
  readonly position: Position | undefined;
}

/** What comes first, and how it joins what is live. */
export class Replay {
  #events: readonly Replayed[];
  readonly #readTo: ReadonlyMap<string, Position>;
  readonly #place: Place | undefined;
  /** They may come by again on the bus: out of the history with a position, out of the log without one where Redis was away. */
  readonly #ids: ReadonlySet<string>;
  readonly #until = performance.now() + OVERLAP_MS;

  constructor(chats: readonly ChatReplay[], place: Place | undefined) {
    this.#events = merge(chats.map(({ events }) => events));
    this.#readTo = new Map(chats.map(({ topic, readTo }) => [topic, readTo]));
    this.#place = place;
    this.#ids = new Set(this.#events.map(({ event }) => idOf(event)));
  }

  /** In the order in which they are to be given: in each chat the log's, between chats that of time. Once: they are many. */
  takeEvents(): readonly Replayed[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Whether nothing that comes by from now on can be in it any more. */
  get isOver(): boolean {
    return performance.now() > this.#until;
  }

  /** Whether the client has an event already that comes by live, or from the log after the replay. */
  has(event: BusEvent, position: Position | undefined): boolean {
    if (position !== undefined && "chatId" in event) {
      const readTo = this.#readTo.get(chatTopic(event.chatId));
      if (readTo !== undefined && position <= readTo) return true;
    }
    return isCounted(event) && (this.#ids.has(idOf(event)) || (isMessage(event) && this.#wasSeen(event.message)));
  }

  /** A cursor out of the history may be from before the publication of what its page had. */
  #wasSeen({ chatId, id }: Message): boolean {
    return this.#place?.chatId === chatId && (this.#place.id === id || this.#place.seen.includes(id));
  }
}

/** Of one chat: how far the log has been read, and the events up to there. */
interface ChatReplay {
  readonly topic: string;
  readonly events: readonly Replayed[];
  readonly readTo: Position;
}

interface ReplaysOptions {
  readonly log: EventLog<BusEvent>;
  readonly history: History;
  /** Events of one replay at most. */
  readonly limit: number;
}

export class Replays {
  readonly #options: ReplaysOptions;

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /**
   * Everything of a type since then in these chats, whose live events are being held from before this call on.
   *
   * @throws GatewayError CURSOR_EXPIRED where it is more than the limit or cannot be had whole; NOT_FOUND, NOT_PARTICIPANT,
   * UNAUTHENTICATED, UPSTREAM_… where the history cannot be read.
   */
  async gather(
    session: Session,
    type: CountedEvent["type"],
    chatIds: readonly string[],
    since: Since,
  ): Promise<Replay> {
    const read =
      "mark" in since ? this.#sinceMark(session, type, since.mark) : await this.#sincePlace(session, since.place);
    const chats = await Promise.all(chatIds.map(read));
    const count = chats.reduce((sum, { events }) => sum + events.length, 0);
    if (count > this.#options.limit) throw new GatewayError("CURSOR_EXPIRED");
    return new Replay(chats, "place" in since ? since.place : undefined);
  }

  #sinceMark(
    session: Session,
    type: CountedEvent["type"],
    { base, topics }: Mark,
  ): (chatId: string) => Promise<ChatReplay> {
    return async (chatId) => {
      const after = topics[chatTopic(chatId)] ?? base;
      const entries = await this.#read(chatId, after);
      if (entries) return fromLog(chatId, after, entries, (event) => event.type === type);
      // Who read a message when, the history does not tell.
      if (type !== "message.created") throw new GatewayError("CURSOR_EXPIRED");
      return this.#fromHistory(session, chatId, isCreatedSince(after));
    };
  }

  async #sincePlace(session: Session, place: Place): Promise<(chatId: string) => Promise<ChatReplay>> {
    const { position } = place;
    if (position !== undefined) {
      return async (chatId) => {
        const entries = await this.#read(chatId, position);
        if (entries) return fromLog(chatId, position, entries, isMessage);
        return this.#fromHistory(session, chatId, (message) => isCreatedAfter(message, place));
      };
    }
    const start = await this.#positionOf(place);
    return async (chatId) => {
      const entries = start === undefined ? undefined : await this.#read(chatId, start);
      if (entries && start !== undefined) {
        return fromLog(
          chatId,
          start,
          entries,
          (event) => event.type === "message.created" && isCreatedAfter(event.message, place),
        );
      }
      return this.#fromHistory(session, chatId, (message) => isCreatedAfter(message, place));
    };
  }

  /** A position before that of every message that was created after a place out of the history; undefined where the log has not got it. */
  async #positionOf({ chatId, id, createdAt }: Place): Promise<Position | undefined> {
    const tail = await whereReachable(this.#options.log.tail(chatTopic(chatId)), undefined);
    const entry = tail?.entries.find(({ event }) => event.type === "message.created" && event.message.id === id);
    if (!entry) return undefined;
    // It may have been published long after it was created, and others that were created meanwhile before it.
    const created = positionOfInstant(createdAt);
    return earlier(created < entry.position ? created : entry.position, PUBLICATION_MARGIN_MS);
  }

  /** Undefined where the log does not reach, or cannot be reached. */
  async #read(chatId: string, after: Position): Promise<readonly LogEntry<BusEvent>[] | undefined> {
    return whereReachable(this.#options.log.read(chatTopic(chatId), after), undefined);
  }

  async #fromHistory(session: Session, chatId: string, isWanted: (message: Message) => boolean): Promise<ChatReplay> {
    const { log, history, limit } = this.#options;
    const topic = chatTopic(chatId);
    // Before the question: what was published by then had been persisted, and is in the answer.
    const { base, topics } = log.mark([topic]);
    const messages = await readMessages({ log, history, limit }, session, chatId, isWanted);
    const events = messages.map((message): Replayed => ({
      event: { type: "message.created", chatId, message },
      position: undefined,
    }));
    return { topic, events, readTo: topics[topic] ?? base };
  }
}

function fromLog(
  chatId: string,
  after: Position,
  entries: readonly LogEntry<BusEvent>[],
  isWanted: (event: BusEvent) => boolean,
): ChatReplay {
  const events = entries.flatMap(({ event, position }): readonly Replayed[] =>
    isCounted(event) && isWanted(event) ? [{ event: placed(event, position), position }] : [],
  );
  return { topic: chatTopic(chatId), events, readTo: entries.at(-1)?.position ?? after };
}

function isMessage(event: BusEvent): event is MessageCreated {
  return event.type === "message.created";
}

export function isCounted(event: BusEvent): event is CountedEvent {
  return event.type === "message.created" || event.type === "message.read";
}

/** In the log's order where it has them, else in that of time, without changing the order within a list. */
function merge(lists: readonly (readonly Replayed[])[]): readonly Replayed[] {
  const rest = lists.filter((list) => list.length > 0).map((list) => ({ list, next: 0 }));
  const merged: Replayed[] = [];
  while (rest.length > 0) {
    let [first] = rest;
    for (const other of rest) if (first && instantOf(other) < instantOf(first)) first = other;
    const item = first?.list[first.next++];
    if (!first || !item) break;
    merged.push(item);
    if (first.next === first.list.length) rest.splice(rest.indexOf(first), 1);
  }
  return merged;
}

/** Where the log has it, so that everything that stands before it there in any chat comes before it; else its own instant. */
function instantOf({ list, next }: { readonly list: readonly Replayed[]; readonly next: number }): Position {
  const replayed = list[next];
  if (replayed === undefined) return "";
  const { event, position } = replayed;
  if (position !== undefined) return position;
  return positionOfInstant(event.type === "message.created" ? event.message.createdAt : event.receipt.readAt);
}

function positionOfInstant(instant: string): Position {
  return positionAt(Math.max(0, Date.parse(instant)), 0);
}
