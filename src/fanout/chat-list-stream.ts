/** A user's list of chats as a stream: first all of it, then what has changed, as often as the reader reads. */
import { onBehalfOf } from "../call-origin.ts";
import type { ChatDetails } from "../chat/events/chat-changed.ts";
import type { DeliveredEvent } from "../chat/events/registry.ts";
import { LiveChatList, type ReceivedEvent } from "../chat/live-chat-list.ts";
import type { Chat, User } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError, hasCode } from "../errors.ts";
import type { StreamState } from "./sink.ts";
import type { SubscriberSet } from "./stream.ts";
import type { Subscriber } from "./subscriber.ts";

/** Changes within this time after the first one arrive in one event. */
const COALESCING_MS = 100;

/** Before another attempt to ask for a chat; it doubles up to the longest one. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

/** Events that are kept for a record that is being asked for. The oldest go: the record has them. */
const MAX_EARLY = 1000;

/** One event of the stream. */
export interface ChatsChange {
  /** Whether `changed` is every chat of the user. */
  readonly isSnapshot: boolean;
  readonly changed: readonly Chat[];
  readonly removedIds: readonly string[];
}

/** Where the records of chats come from. Both reject with a GatewayError. */
export interface ChatRecords {
  all(session: Session): Promise<readonly Chat[]>;
  /** With its unread count, where that can be told. */
  one(session: Session, chatId: string): Promise<Chat>;
}

interface ChatListStreamParts {
  readonly subscribers: SubscriberSet;
  readonly session: Session;
  readonly records: ChatRecords;
  /** The present moment in milliseconds since the epoch, later than every one before. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** A chat whose record is being asked for, and what happens in it meanwhile. */
class Arrival {
  readonly events: ReceivedEvent[] = [];
  retryMs = RETRY_MS;
  timer: NodeJS.Timeout | undefined;

  add(early: ReceivedEvent): void {
    if (this.events.push(early) > MAX_EARLY) this.events.shift();
  }
}

/** Its memory is that of the list, however slowly the reader reads: what has not been read is a set of ids. */
export class ChatListStream implements AsyncIterableIterator<ChatsChange>, Subscriber {
  readonly type = "chats.changed";
  readonly session: Session;
  readonly chatId = undefined;
  readonly #parts: ChatListStreamParts;
  readonly #list: LiveChatList;
  /** While the whole list is being asked for. */
  #loading: Arrival | undefined = new Arrival();
  readonly #arrivals = new Map<string, Arrival>();
  /** When each chat was changed by something else than a list, by `now`. */
  readonly #touchedAt = new Map<string, number>();
  /** When the newest whole list was asked for, by `now`. */
  #listedAt = 0;
  #isSnapshotDue = true;
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();
  /** Runs from the first change on; what has changed is given when it has run out. */
  #timer: NodeJS.Timeout | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<ChatsChange, undefined>> | undefined;
  #onState: ((state: StreamState) => void) | undefined;
  /** What the reader is to be told when it has taken what was given. */
  #state: StreamState | undefined = { state: "live", start: "new" };
  #isDone = false;
  #error: Error | undefined;

  constructor(parts: ChatListStreamParts) {
    this.#parts = parts;
    this.session = parts.session;
    this.#list = new LiveChatList(parts.session.user.id);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Reads the list, and follows it from then on. Rejects as the records do; the stream has ended then. */
  async open(): Promise<void> {
    const { subscribers, session, records } = this.#parts;
    try {
      await subscribers.add(this);
      this.#listedAt = this.#parts.now();
      this.#load(await records.all(session));
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  deliver(event: DeliveredEvent): void {
    if (this.#isDone || (event.type !== "message.created" && event.type !== "message.read")) return;
    const received = { event, receivedAtMs: this.#parts.now() };
    const arrival = this.#loading ?? this.#arrivals.get(event.chatId);
    if (arrival) arrival.add(received);
    else this.#apply(received);
  }

  /** {@link refresh} follows. */
  joined(): void {}

  /** With a chat: the viewer has joined it, and receives its events. */
  async refresh(chatId?: string): Promise<void> {
    if (chatId === undefined || this.#isDone) return;
    this.#ask(chatId);
  }

  /** Events of a chat are missing, and nobody has them. */
  missed(chatId: string): void {
    if (!this.#isDone) this.#ask(chatId);
  }

  forget(chatId: string): void {
    if (this.#isDone) return;
    clearTimeout(this.#arrivals.get(chatId)?.timer);
    this.#arrivals.delete(chatId);
    this.#touchedAt.delete(chatId);
    this.#changed.delete(chatId);
    this.#list.remove(chatId);
    if (this.#isSnapshotDue) return;
    this.#removed.add(chatId);
    this.#schedule();
  }

  /** Its members have changed. */
  membersChanged(chatId: string, members: readonly User[]): void {
    if (this.#list.setMembers(chatId, members)) this.#touch(chatId);
  }

  described(chatId: string, details: ChatDetails): void {
    if (this.#list.describe(chatId, details)) this.#touch(chatId);
  }

  /** The REST API was asked for the whole list at `askedAt`, a mark of `now`, for another reason. */
  listed(chats: readonly Chat[], askedAt: number): void {
    if (this.#isDone || this.#loading || askedAt <= this.#listedAt) return;
    this.#listedAt = askedAt;
    for (const chat of chats) {
      if (!this.#isMember(chat.id) || this.#arrivals.has(chat.id)) continue;
      // What has happened since is newer.
      if ((this.#touchedAt.get(chat.id) ?? -1) >= askedAt) continue;
      if (this.#list.take({ ...chat, isListed: true }, askedAt)) this.#note(chat.id);
    }
  }

  /** Every change comes by the log, which is read when the bus is connected again. */
  busLost(): void {
    this.#state = { state: "catching-up" };
    this.#tellState();
  }

  busRestored(): void {
    this.#state = { state: "live", start: "new" };
    this.#tellState();
  }

  /** Where the stream stands, told when the reader has taken the events before. */
  watchStates(onState: (state: StreamState) => void): void {
    this.#onState = onState;
  }

  end(error?: Error): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#error = error;
    this.#parts.subscribers.remove(this);
    clearTimeout(this.#timer);
    for (const { timer } of this.#arrivals.values()) clearTimeout(timer);
    this.#arrivals.clear();
    this.#loading = undefined;
    this.#settle();
  }

  next(): Promise<IteratorResult<ChatsChange, undefined>> {
    const waiting = (this.#waiting = Promise.withResolvers<IteratorResult<ChatsChange, undefined>>());
    this.#settle();
    this.#tellState();
    return waiting.promise;
  }

  async return(): Promise<IteratorResult<ChatsChange, undefined>> {
    this.end();
    return { done: true, value: undefined };
  }

  #load(chats: readonly Chat[]): void {
    const early = this.#loading?.events ?? [];
    this.#loading = undefined;
    if (this.#isDone) return;
    for (const chat of chats) if (this.#isMember(chat.id)) this.#list.take(chat, this.#listedAt);
    for (const one of early) {
      const arrival = this.#arrivals.get(one.event.chatId);
      if (arrival) arrival.add(one);
      else this.#apply(one);
    }
    this.#settle();
  }

  /** The list or the log would not tell of the chat as it is. */
  #ask(chatId: string): void {
    const arrival = new Arrival();
    clearTimeout(this.#arrivals.get(chatId)?.timer);
    this.#arrivals.set(chatId, arrival);
    this.#askNow(chatId, arrival);
  }

  /** On nobody's behalf: it is not the operation of whoever has added the viewer to the chat. */
  #askNow(chatId: string, arrival: Arrival): void {
    onBehalfOf(undefined, () => this.#receive(chatId, arrival)).catch(this.#parts.onError);
  }

  async #receive(chatId: string, arrival: Arrival): Promise<void> {
    const askedAt = this.#parts.now();
    const isWanted = (): boolean => !this.#isDone && this.#arrivals.get(chatId) === arrival;
    try {
      const chat = await this.#parts.records.one(this.session, chatId);
      if (!isWanted()) return;
      this.#arrivals.delete(chatId);
      if (!this.#isMember(chatId)) return;
      this.#list.take({ ...chat, isListed: true }, askedAt);
      for (const received of arrival.events) this.#list.apply(received);
      this.#removed.delete(chatId);
      this.#touch(chatId);
    } catch (error) {
      if (!isWanted()) return;
      if (hasCode(error, "NOT_PARTICIPANT", "NOT_FOUND", "UNAUTHENTICATED")) this.#arrivals.delete(chatId);
      else if (error instanceof GatewayError) this.#askLater(chatId, arrival);
      else throw error;
    }
  }

  #askLater(chatId: string, arrival: Arrival): void {
    const again = (): void => this.#askNow(chatId, arrival);
    arrival.timer = setTimeout(again, arrival.retryMs).unref();
    arrival.retryMs = Math.min(2 * arrival.retryMs, MAX_RETRY_MS);
  }

  #isMember(chatId: string): boolean {
    return this.session.viewer.chats.has(chatId);
  }

  #apply(received: ReceivedEvent): void {
    if (this.#list.apply(received)) this.#touch(received.event.chatId);
  }

  #touch(chatId: string): void {
    this.#touchedAt.set(chatId, this.#parts.now());
    this.#note(chatId);
  }

  #note(chatId: string): void {
    if (this.#isSnapshotDue) return;
    this.#changed.add(chatId);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer || this.#isDone) return;
    const settle = (): void => {
      this.#timer = undefined;
      this.#settle();
    };
    this.#timer = setTimeout(settle, COALESCING_MS).unref();
  }

  #tellState(): void {
    const state = this.#state;
    if (!state || !this.#waiting || this.#isSnapshotDue) return;
    this.#state = undefined;
    this.#onState?.(state);
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const change = this.#isDone ? undefined : this.#take();
    if (!change && !this.#isDone) return;
    this.#waiting = undefined;
    if (change) waiting.resolve({ done: false, value: change });
    else if (this.#error) {
      waiting.reject(this.#error);
      this.#error = undefined;
    } else waiting.resolve({ done: true, value: undefined });
  }

  /** What the reader is to be given now. */
  #take(): ChatsChange | undefined {
    if (this.#loading || this.#timer) return undefined;
    if (this.#isSnapshotDue) {
      this.#isSnapshotDue = false;
      return { isSnapshot: true, changed: this.#list.all(), removedIds: [] };
    }
    if (this.#changed.size === 0 && this.#removed.size === 0) return undefined;
    const changed = [...this.#changed].flatMap((id) => this.#list.get(id) ?? []);
    const change = { isSnapshot: false, changed, removedIds: [...this.#removed] };
    this.#changed.clear();
    this.#removed.clear();
    return change;
  }
}
