/**
 * The past of a chat for one subscription: out of the log, and out of the REST API's history where the log does not reach.
 */
import { callOrigin, onBehalfOf, type CallOrigin } from "../call-origin.ts";
import { EVENT_ID_TTL_MS, type EventLog, type StreamPosition } from "../bus/bus.ts";
import type { CatchUpEntry, Past } from "../bus/catch-up.ts";
import { earlier, latest, type Position } from "../bus/position.ts";
import { isCreatedAfter, positionOfCreation, type CursorPosition } from "../chat/cursor.ts";
import type { MessageCreated } from "../chat/events/message-created.ts";
import { idOf, isDurableChatEvent, logPartOf, type BusEvent, type DurableChatEvent } from "../chat/events/registry.ts";
import { chatOfTopic } from "../chat/events/topics.ts";
import { bytesOf, eventBytes, HeldMessages } from "../chat/held-messages.ts";
import type { History } from "../chat/history.ts";
import type { Message } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError } from "../errors.ts";
import type { Counts } from "../measures.ts";
import { isCreatedSince, readMessages, type IsWanted } from "./history-and-log.ts";

export interface PastEvent extends CatchUpEntry {
  readonly event: DurableChatEvent;
}

/** A position before everything that a log has: the history is read. */
export const BEFORE_THE_LOG: Position = "";

/**
 * How long after the history was read a message of it may still arrive live: an instance that is disconnected publishes late what it
 * has persisted.
 */
const OVERLAP_MS = EVENT_ID_TTL_MS;

export interface PastSources {
  readonly log: EventLog<BusEvent>;
  readonly history: Pick<History, "select">;
  /** Events that a returning client is given at most. */
  readonly limit: number;
  /** Counts events that are delivered late, by where they are read. */
  readonly replayed: Counts<ReplaySource>;
  /** Counts subscriptions by where they began. */
  readonly starts: Counts<StartOutcome>;
}

/** `expired`: it should have begun at a position, or after a cursor, of which the past cannot be had whole. */
export type StartOutcome = "new" | "resumed" | "after" | "expired";

export type ReplaySource = "log" | "history";

/** How much of the past is read at once. */
interface PartRequest {
  /** Of messages; one is read in any case. */
  readonly maxBytes: number;
  /** Whether what was read before was a part, all of which has been delivered. */
  readonly isContinued: boolean;
}

const WHOLE: PartRequest = { maxBytes: Infinity, isContinued: false };

/** Of the messages of a history, those that are still to be delivered. */
interface Rest {
  messages: readonly Message[];
  readonly held: HeldMessages;
  readonly readTo: Position;
  /** Of the last one that was delivered. */
  order: Position;
}

interface ReaderOptions {
  readonly isOfOneChat?: boolean;
  /** Of the operation that subscribed. A read may be caused by somebody else's message. */
  readonly origin?: CallOrigin | undefined;
}

export class ReaderPast {
  readonly #sources: PastSources;
  readonly #session: Session;
  readonly #origin: CallOrigin | undefined;
  readonly #type: DurableChatEvent["type"];
  readonly #isOfOneChat: boolean;
  /** Where the client asked to continue, until it has caught up. */
  #cursor: CursorPosition | undefined;
  /** What was published after it is new, whenever it was created. As long as `#cursor`. */
  #since: StreamPosition | undefined;
  /** By chat, since two may have messages of one id: events that the reader has although the log may bring them again. */
  #known: Map<string, Set<string>> | undefined;
  /** Its owner has the messages that it names. As long as `#known`. */
  #ownerOf: CursorPosition | undefined;
  #knownUntil = 0;
  /** Events of the first read of each topic, until the reader has caught up for the first time. Undefined from then on. */
  #counts: Map<string, number> | undefined;
  /** By topic, while a history is read in parts. */
  #rests: Map<string, Rest> | undefined;

  constructor(
    sources: PastSources,
    session: Session,
    type: DurableChatEvent["type"],
    { isOfOneChat = false, origin = callOrigin() }: ReaderOptions = {},
  ) {
    this.#isOfOneChat = isOfOneChat;
    this.#origin = origin;
    this.#sources = sources;
    this.#session = session;
    this.#type = type;
  }

  /**
   * The client is given what is after a cursor, or what it missed: not more than the limit.
   *
   * @param since what is published after it would be delivered live.
   */
  begin(cursor: CursorPosition | undefined, since?: StreamPosition): void {
    this.#cursor = cursor;
    this.#since = since;
    this.#counts = new Map();
    if (!cursor) return;
    this.#ownerOf = cursor;
    this.#knownUntil = performance.now() + OVERLAP_MS;
  }

  /** The reader has everything up to now. */
  caughtUp(): void {
    this.#cursor = this.#since = undefined;
    this.#counts = undefined;
  }

  /** The reader is given an event of the history, which may still arrive live. */
  noteDelivered(event: DurableChatEvent): void {
    this.#known ??= new Map();
    const known = this.#known.get(event.chatId) ?? new Set();
    this.#known.set(event.chatId, known.add(nameOf(event)));
    this.#knownUntil = performance.now() + OVERLAP_MS;
  }

  /** Whether the reader has an event already that arrives live, or from the log. */
  hasDelivered(event: DurableChatEvent): boolean {
    if (!this.#known && !this.#ownerOf) return false;
    if (performance.now() > this.#knownUntil) this.#known = this.#ownerOf = undefined;
    if (this.#known?.get(event.chatId)?.has(nameOf(event))) return true;
    const cursor = this.#ownerOf;
    return event.type === "message.created" && cursor !== undefined && isCovered(event.message, cursor);
  }

  /**
   * Everything in a chat after a position, or the oldest part of it: the next part is read when that has been delivered.
   *
   * @throws GatewayError CURSOR_EXPIRED where it is more than the limit or cannot be had whole; NOT_FOUND, NOT_PARTICIPANT,
   * UNAUTHENTICATED, UPSTREAM_… where the history cannot be read; BusUnavailable where the log cannot be read now.
   */
  async read(
    topic: string,
    after: Position,
    seen: Position | undefined,
    { maxBytes, isContinued }: PartRequest = WHOLE,
  ): Promise<Past<PastEvent>> {
    const rest = isContinued ? this.#rests?.get(topic) : undefined;
    if (rest) return this.#nextPart(topic, rest, maxBytes);
    this.#rests?.delete(topic);
    const logged = await this.#sources.log.read(topic, after, logPartOf(this.#type));
    const readTo = logged?.at(-1)?.position ?? after;
    if (logged && (seen === undefined || readTo >= seen)) {
      const entries = this.#fromLog(topic, logged);
      this.#count(topic, entries.length);
      const part = firstOf(entries, ({ event }) => eventBytes(event), maxBytes);
      return { entries: part, readTo, ...(part.length < entries.length && { isPartial: true }) };
    }
    const found = await this.#fromHistory(topic, after, seen, maxBytes);
    this.#count(topic, found.messages.length);
    return this.#nextPart(topic, found, maxBytes);
  }

  /** The next messages of a history. */
  async #nextPart(topic: string, rest: Rest, maxBytes: number): Promise<Past<PastEvent>> {
    const part = firstOf(rest.messages, bytesOf, maxBytes);
    const messages = await onBehalfOf(this.#origin, () => rest.held.whole(part, rest.messages));
    rest.messages = rest.messages.slice(part.length);
    const isPartial = rest.messages.length > 0;
    if (isPartial) (this.#rests ??= new Map()).set(topic, rest);
    else this.#rests?.delete(topic);
    const chatId = chatOfTopic(topic);
    return {
      // In the order in which they were read, whatever the instants of their creation.
      entries: messages.map((message) => ({
        topic,
        event: createdEvent(chatId, message),
        position: undefined,
        order: (rest.order = latest(rest.order, positionOfCreation(message))),
      })),
      readTo: rest.readTo,
      ...(isPartial && { isPartial }),
    };
  }

  #fromLog(topic: string, entries: readonly { readonly event: BusEvent; readonly position: Position }[]): PastEvent[] {
    return entries.flatMap(({ event, position }) =>
      isDurableChatEvent(event) && this.#isWanted(topic, event, position)
        ? [{ topic, event, position, order: position }]
        : [],
    );
  }

  async #fromHistory(topic: string, after: Position, seen: Position | undefined, maxBytes: number): Promise<Rest> {
    // The history does not say who read a message when.
    if (this.#type !== "message.created") throw new GatewayError("CURSOR_EXPIRED");
    const { log, history, limit } = this.#sources;
    const chatId = chatOfTopic(topic);
    const cursor = this.#cursor;
    // Before the question: what was published by then had been persisted, and is in the answer.
    const { base, topics } = log.position([topic]);
    const isNewer = cursor ? (message: Message) => isCreatedAfter(message, cursor) : isCreatedSince(after);
    // A cursor of the history says nothing about positions.
    const isByCreation = after === BEFORE_THE_LOG || (cursor !== undefined && cursor.position === undefined);
    // What was published after the position may have been created long before it.
    const delayMs = isByCreation ? 0 : await log.delayAfter(topic, after);
    const isLate = isCreatedSince(earlier(after, delayMs));
    const isCandidate = (message: Message): boolean => isNewer(message) || (delayMs > 0 && isLate(message));
    const isWanted: IsWanted = (message, position) =>
      position === undefined || isByCreation
        ? isCandidate(message) || this.#isSince(topic, position)
        : position > after;
    const held = new HeldMessages(maxBytes);
    const wanted = { isWanted, limit, held, hadAt: cursor?.createdAt, areInLog: this.#isOfOneChat };
    const messages = await onBehalfOf(this.#origin, () =>
      readMessages({ log, history }, this.#session, chatId, wanted),
    );
    const unknown = messages.filter(({ message, position }) => {
      const event = createdEvent(chatId, message);
      if (this.hasDelivered(event)) return false;
      // Where no position is known the instant of its creation says roughly whether a message was published after it.
      if (position === undefined ? isNewer(message) : position > after) return true;
      // Should this process receive it late, the reader has it all the same.
      if (position !== undefined) this.noteDelivered(event);
      return false;
    });
    return {
      messages: unknown.map(({ message }) => message),
      held,
      readTo: latest(seen, latest(topics[topic] ?? base, after)),
      order: "",
    };
  }

  #isWanted(topic: string, event: DurableChatEvent, position: Position): boolean {
    if (event.type !== this.#type) return false;
    const cursor = this.#cursor;
    if (!cursor || cursor.position !== undefined || event.type !== "message.created") return true;
    return isCreatedAfter(event.message, cursor) || this.#isSince(topic, position);
  }

  #isSince(topic: string, position: Position | undefined): boolean {
    if (!this.#since || position === undefined) return false;
    const { base, topics } = this.#since;
    return position > (topics[topic] ?? base);
  }

  #count(topic: string, events: number): void {
    if (!this.#counts || this.#counts.has(topic)) return;
    this.#counts.set(topic, events);
    const count = [...this.#counts.values()].reduce((sum, of) => sum + of, 0);
    if (count > this.#sources.limit) throw new GatewayError("CURSOR_EXPIRED");
  }
}

/** Whether a cursor names a message, as its own or as one that its owner has too. */
function isCovered(message: Message, cursor: CursorPosition): boolean {
  return cursor.isOf(message) || cursor.hasSeen(message);
}

/** What a reader knows an event of a chat by: one of a message by the id that the message has anyway. */
function nameOf(event: DurableChatEvent): string {
  return event.type === "message.created" ? event.message.id : idOf(event);
}

function createdEvent(chatId: string, message: Message): MessageCreated {
  return { type: "message.created", chatId, message };
}

/** The first ones that have so many bytes together, one at least. */
function firstOf<T>(all: readonly T[], sizeOf: (each: T) => number, maxBytes: number): readonly T[] {
  let bytes = 0;
  const end = all.findIndex((each, index) => (bytes += sizeOf(each)) > maxBytes && index > 0);
  return end === -1 ? all : all.slice(0, end);
}
