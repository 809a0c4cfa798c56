/**
 * The past of a chat for one subscription: out of the log, and out of the REST API's history where the log does not reach.
 */
import { callOrigin, onBehalfOf, type CallOrigin } from "../call-origin.ts";
import { EVENT_ID_TTL_MS, type EventLog } from "../bus/bus.ts";
import type { CatchUpEntry, Past } from "../bus/catch-up.ts";
import { earlier, latest, type Position } from "../bus/position.ts";
import { isCreatedAfter, positionOfCreation, type CursorPosition } from "../chat/cursor.ts";
import type { MessageCreated } from "../chat/events/message-created.ts";
import { idOf, isDurableChatEvent, logPartOf, type BusEvent, type DurableChatEvent } from "../chat/events/registry.ts";
import { chatOfTopic } from "../chat/events/topics.ts";
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

export class ReaderPast {
  readonly #sources: PastSources;
  readonly #session: Session;
  /** Of the operation that subscribed. A read may be caused by somebody else's message. */
  readonly #origin: CallOrigin | undefined = callOrigin();
  readonly #type: DurableChatEvent["type"];
  /** Where the client asked to continue, until it has caught up. */
  #cursor: CursorPosition | undefined;
  /** Ids that the reader has although the log may bring them again. */
  #known: Set<string> | undefined;
  /** Its owner has the messages that it names. As long as `#known`. */
  #ownerOf: CursorPosition | undefined;
  #knownUntil = 0;
  /** Events of the first read of each topic, until the reader has caught up for the first time. Undefined from then on. */
  #counts: Map<string, number> | undefined;

  constructor(sources: PastSources, session: Session, type: DurableChatEvent["type"]) {
    this.#sources = sources;
    this.#session = session;
    this.#type = type;
  }

  /** The client is given what is after a cursor, or what it missed: not more than the limit. */
  begin(cursor: CursorPosition | undefined): void {
    this.#cursor = cursor;
    this.#counts = new Map();
    if (!cursor) return;
    this.#ownerOf = cursor;
    this.#knownUntil = performance.now() + OVERLAP_MS;
  }

  /** The reader has everything up to now. */
  caughtUp(): void {
    this.#cursor = undefined;
    this.#counts = undefined;
  }

  /** The reader is given an event of the history, which may still arrive live. */
  noteDelivered(event: DurableChatEvent): void {
    this.#know([idOf(event)]);
  }

  countStart(outcome: StartOutcome): void {
    this.#sources.starts.add(outcome);
  }

  countReplayed(source: ReplaySource): void {
    this.#sources.replayed.add(source);
  }

  /** Whether the reader has an event already that arrives live, or from the log. */
  hasDelivered(event: DurableChatEvent): boolean {
    if (!this.#known && !this.#ownerOf) return false;
    if (performance.now() > this.#knownUntil) this.#known = this.#ownerOf = undefined;
    if (this.#known?.has(idOf(event))) return true;
    const cursor = this.#ownerOf;
    return event.type === "message.created" && cursor !== undefined && isCovered(event.message, cursor);
  }

  /**
   * Everything in a chat after a position.
   *
   * @throws GatewayError CURSOR_EXPIRED where it is more than the limit or cannot be had whole; NOT_FOUND, NOT_PARTICIPANT,
   * UNAUTHENTICATED, UPSTREAM_… where the history cannot be read; BusUnavailable where the log cannot be read now.
   */
  async read(topic: string, after: Position, seen: Position | undefined): Promise<Past<PastEvent>> {
    const entries = await this.#sources.log.read(topic, after, logPartOf(this.#type));
    const readTo = entries?.at(-1)?.position ?? after;
    const past =
      entries && (seen === undefined || readTo >= seen)
        ? { entries: this.#fromLog(topic, entries), readTo }
        : await this.#fromHistory(topic, after, seen);
    this.#count(topic, past.entries);
    return past;
  }

  #fromLog(topic: string, entries: readonly { readonly event: BusEvent; readonly position: Position }[]): PastEvent[] {
    return entries.flatMap(({ event, position }) =>
      isDurableChatEvent(event) && this.#isWanted(event) ? [{ topic, event, position, order: position }] : [],
    );
  }

  async #fromHistory(topic: string, after: Position, seen: Position | undefined): Promise<Past<PastEvent>> {
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
      position === undefined || isByCreation ? isCandidate(message) : position > after;
    const messages = await onBehalfOf(this.#origin, () =>
      readMessages({ log, history, limit }, this.#session, chatId, isWanted),
    );
    const found = messages.map(({ message, position }) => ({ event: createdEvent(chatId, message), position }));
    const unknown = found.flatMap(({ event, position }) => {
      if (this.hasDelivered(event)) return [];
      // Where no position is known the instant of its creation says roughly whether a message was published after it.
      if (position === undefined ? isNewer(event.message) : position > after) return [event];
      // Should this process receive it late, the reader has it all the same.
      if (position !== undefined) this.noteDelivered(event);
      return [];
    });
    let order: Position = "";
    return {
      // In the order in which they were read, whatever the instants of their creation.
      entries: unknown.map((event) => ({
        topic,
        event,
        position: undefined,
        order: (order = latest(order, positionOfCreation(event.message))),
      })),
      readTo: latest(seen, latest(topics[topic] ?? base, after)),
    };
  }

  #isWanted(event: DurableChatEvent): boolean {
    if (event.type !== this.#type) return false;
    const cursor = this.#cursor;
    if (!cursor || cursor.position !== undefined || event.type !== "message.created") return true;
    return isCreatedAfter(event.message, cursor);
  }

  #count(topic: string, entries: readonly unknown[]): void {
    if (!this.#counts || this.#counts.has(topic)) return;
    this.#counts.set(topic, entries.length);
    const count = [...this.#counts.values()].reduce((sum, of) => sum + of, 0);
    if (count > this.#sources.limit) throw new GatewayError("CURSOR_EXPIRED");
  }

  #know(ids: readonly string[]): void {
    this.#known ??= new Set();
    for (const id of ids) this.#known.add(id);
    this.#knownUntil = performance.now() + OVERLAP_MS;
  }
}

/** Whether a cursor names a message, as its own or as one that its owner has too. */
function isCovered(message: Message, cursor: CursorPosition): boolean {
  return cursor.isOf(message) || cursor.hasSeen(message);
}

function createdEvent(chatId: string, message: Message): MessageCreated {
  return { type: "message.created", chatId, message };
}
