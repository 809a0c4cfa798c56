/**
 * The past of a chat for one subscription: out of the log, and out of the REST API's history where the log does not reach.
 */
import { callOrigin, onBehalfOf, type CallOrigin } from "../call-origin.ts";
import { EVENT_ID_TTL_MS, type EventLog, type StreamPosition } from "../bus/bus.ts";
import { withOldest, type CatchUpEntry, type Past } from "../bus/catch-up.ts";
import { earlier, latest, type Position } from "../bus/position.ts";
import { isCreatedAfter, type CursorPosition } from "../chat/cursor.ts";
import type { MessageCreated } from "../chat/events/message-created.ts";
import {
  idOf,
  isDurableChatEvent,
  logPartOf,
  withPosition,
  type BusEvent,
  type DurableChatEvent,
} from "../chat/events/registry.ts";
import { chatOfTopic } from "../chat/events/topics.ts";
import { HadMessages } from "../chat/had-messages.ts";
import { bytesOf, eventBytes, HeldMessages } from "../chat/held-messages.ts";
import type { History } from "../chat/history.ts";
import type { Message } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError } from "../errors.ts";
import type { FairTurns } from "../fair-turns.ts";
import type { Counts } from "../measures.ts";
import { createdSince, isCreatedSince, readMessages, type IsWanted } from "./history-and-log.ts";
import { isInOrderOfCreation, placeOf, placesOf, type Place } from "./places.ts";

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

/** Messages that are read beyond the limit, from the seconds before a position: their reader has nearly all of them. */
const MAX_LATE = 1000;

export interface PastSources {
  readonly log: EventLog<BusEvent>;
  readonly history: Pick<History, "select">;
  /** For readers of many topics. */
  readonly turns: FairTurns;
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
  /** By id. Undefined where the messages are in the order of creation, and so are those of other chats. */
  readonly places: ReadonlyMap<string, Place> | undefined;
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
  /** From the first reading of a history until the reader has caught up. */
  #had: HadMessages | undefined;

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
    this.#had = undefined;
  }

  /** Notes that an event is delivered to the reader. @returns the event with what its cursor says. */
  give<Event extends DurableChatEvent>(event: Event, { position, oldestFromHere }: Omit<PastEvent, "event">): Event {
    if (position === undefined) this.#noteDelivered(event);
    if (event.type !== "message.created") return withPosition(event, position);
    const { message } = event;
    if (position === undefined && message.position === undefined && this.#had)
      return { ...event, message: this.#had.give(message, oldestFromHere ?? message.createdAt) };
    this.#had?.add(message);
    return withPosition(event, position);
  }

  /** The reader has an event of the history, which may still arrive live. */
  #noteDelivered(event: DurableChatEvent): void {
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
      entries: messages.map((message) => {
        const place = rest.places?.get(message.id) ?? placeOf({ message, position: undefined });
        return { topic, event: createdEvent(chatId, message), position: undefined, ...place };
      }),
      readTo: rest.readTo,
      ...(isPartial && { isPartial }),
    };
  }

  #fromLog(topic: string, logged: readonly { readonly event: BusEvent; readonly position: Position }[]): PastEvent[] {
    const entries = logged.flatMap(({ event, position }): readonly PastEvent[] => {
      if (!isDurableChatEvent(event) || !this.#isWanted(topic, event, position)) return [];
      const oldestFromHere = event.type === "message.created" ? event.message.createdAt : undefined;
      return [{ topic, event, position, order: position, oldestFromHere }];
    });
    return withOldest(entries.toReversed()).toReversed();
  }

  async #fromHistory(topic: string, after: Position, seen: Position | undefined, maxBytes: number): Promise<Rest> {
    // The history does not say who read a message when.
    if (this.#type !== "message.created") throw new GatewayError("CURSOR_EXPIRED");
    const { log, history, limit } = this.#sources;
    const chatId = chatOfTopic(topic);
    const cursor = this.#cursor;
    // Before the question: what was published by then had been persisted, and is in the answer.
    const { base, topics } = log.position([topic]);
    const reading = (this.#had ??= new HadMessages(Date.now()));
    const isNewer = cursor ? (message: Message) => isCreatedAfter(message, cursor) : isCreatedSince(after);
    // A cursor of the history says nothing about positions.
    const isByCreation = after === BEFORE_THE_LOG || (cursor !== undefined && cursor.position === undefined);
    // What was published after the position may have been created long before it.
    const delayMs = isByCreation ? 0 : await log.delayAfter(topic, after);
    const lateSince = isByCreation ? undefined : createdSince(earlier(after, delayMs));
    const isCandidate = (message: Message): boolean =>
      isNewer(message) || (lateSince !== undefined && message.createdAt >= lateSince);
    const isWanted: IsWanted = (message, position) =>
      position === undefined || isByCreation
        ? isCandidate(message) || this.#isSince(topic, position)
        : position > after;
    const held = new HeldMessages(maxBytes);
    const sinces = [reading.uncertainSince, cursor?.lacksSince, lateSince];
    const wanted = {
      isWanted,
      limit: isByCreation ? limit : limit + MAX_LATE,
      held,
      hadSince: sinces.filter((instant) => instant !== undefined).toSorted()[0],
      areInLog: this.#isOfOneChat,
    };
    const { found, had } = await onBehalfOf(this.#origin, () =>
      readMessages({ log, history }, this.#session, chatId, wanted),
    );
    for (const each of had) reading.add(each);
    const unknown = found.filter(({ message, position }) => {
      const event = createdEvent(chatId, message);
      const hasDelivered = this.hasDelivered(event);
      // Where no position is known the instant of its creation says roughly whether a message was published after it.
      if (!hasDelivered && (position === undefined ? isNewer(message) : position > after)) return true;
      reading.add(message);
      // Should this process receive it late, the reader has it all the same.
      if (!hasDelivered && position !== undefined) this.#noteDelivered(event);
      return false;
    });
    if (unknown.length > limit) throw new GatewayError("CURSOR_EXPIRED");
    const messages = unknown.map(({ message }) => message);
    const readTo = latest(seen, latest(topics[topic] ?? base, after));
    const isSimple = this.#isOfOneChat && isInOrderOfCreation(messages);
    return { messages, held, readTo, places: isSimple ? undefined : placesOf(unknown) };
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
