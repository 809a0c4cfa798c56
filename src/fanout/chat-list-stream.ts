/** A user's list of chats as a stream: first all of it, then what has changed, as often as the reader reads. */
import { onBehalfOf } from "../call-origin.ts";
import type { ChatDetails } from "../chat/events/chat-changed.ts";
import type { DeliveredEvent } from "../chat/events/registry.ts";
import { LiveChatList, type ReceivedEvent } from "../chat/live-chat-list.ts";
import type { Chat, User } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError, hasCode } from "../errors.ts";
import { PendingRecord } from "./pending-record.ts";
import type { StreamState } from "./sink.ts";
import type { SubscriberSet } from "./stream.ts";
import type { Subscriber } from "./subscriber.ts";

/** Changes within this time after the first one arrive in one event. */
const COALESCING_MS = 100;

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

/** Its memory is that of the list, however slowly the reader reads: what has not been read is a set of ids. */
export class ChatListStream implements AsyncIterableIterator<ChatsChange>, Subscriber {
  readonly type = "chats.changed";
  readonly session: Session;
  readonly chatId = undefined;
  readonly #parts: ChatListStreamParts;
  readonly #list: LiveChatList;
  /** While the whole list is being asked for. */
  #loading: PendingRecord | undefined = new PendingRecord(true);
  readonly #pending = new Map<string, PendingRecord>();
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
    if (this.#loading) this.#loading.add(received);
    else this.#follow(received);
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
    this.#pending.get(chatId)?.cancel();
    this.#pending.delete(chatId);
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
    const asking = { askedAtMs: askedAt, answeredAtMs: this.#parts.now() };
    for (const chat of chats) {
      if (!this.#isMember(chat.id) || this.#pending.has(chat.id)) continue;
      // What has happened since is newer.
      if ((this.#touchedAt.get(chat.id) ?? -1) >= askedAt) continue;
      if (this.#list.take({ ...chat, isListed: true }, asking)) this.#note(chat.id);
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
    for (const pending of this.#pending.values()) pending.cancel();
    this.#pending.clear();
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
    const asking = { askedAtMs: this.#listedAt, answeredAtMs: this.#parts.now() };
    for (const chat of chats) if (this.#isMember(chat.id)) this.#list.take(chat, asking);
    for (const one of early) this.#follow(one);
    this.#settle();
  }

  /** The list or the log would not tell of the chat as it is. */
  #ask(chatId: string, pending = new PendingRecord(true)): void {
    this.#pending.get(chatId)?.cancel();
    this.#pending.set(chatId, pending);
    this.#askNow(chatId, pending);
  }

  /** An event whose place is after everything that has been received. */
  #follow(received: ReceivedEvent): void {
    const { chatId } = received.event;
    const pending = this.#pending.get(chatId);
    if (pending) pending.add(received);
    else if (this.#list.isUncertain(received)) {
      const settling = new PendingRecord(false);
      settling.add(received);
      this.#ask(chatId, settling);
    } else this.#apply(received);
  }

  /** On nobody's behalf: it is not the operation of whoever has added the viewer to the chat. */
  #askNow(chatId: string, pending: PendingRecord): void {
    onBehalfOf(undefined, () => this.#receive(chatId, pending)).catch(this.#parts.onError);
  }

  async #receive(chatId: string, pending: PendingRecord): Promise<void> {
    const askedAt = this.#parts.now();
    const isWanted = (): boolean => !this.#isDone && this.#pending.get(chatId) === pending;
    try {
      const chat = await this.#parts.records.one(this.session, chatId);
      if (!isWanted()) return;
      this.#pending.delete(chatId);
      if (!this.#isMember(chatId)) return;
      const isNew = this.#list.take(
        { ...chat, isListed: true },
        { askedAtMs: askedAt, answeredAtMs: this.#parts.now() },
      );
      if (isNew || pending.isNeeded) this.#touch(chatId);
      this.#removed.delete(chatId);
      for (const received of pending.events) {
        // The record has it, or is of no use.
        if (received.receivedAtMs <= askedAt) this.#apply(received);
        else this.#follow(received);
      }
    } catch (error) {
      if (!isWanted()) return;
      if (!(error instanceof GatewayError)) throw error;
      if (pending.isNeeded && !hasCode(error, "NOT_PARTICIPANT", "NOT_FOUND", "UNAUTHENTICATED")) {
        return pending.retry(() => this.#askNow(chatId, pending));
      }
      this.#pending.delete(chatId);
      for (const received of pending.events) this.#apply(received);
    }
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
