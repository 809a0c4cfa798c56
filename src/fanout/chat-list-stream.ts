/** A user's list of chats as a stream: first all of it, then what has changed, as often as the reader reads. */
import { onBehalfOf } from "../call-origin.ts";
import type { ChatList } from "../chat/chat-list.ts";
import type { FreshChat } from "../chat/chats.ts";
import type { ChatDetails } from "../chat/events/chat-changed.ts";
import type { DeliveredEvent } from "../chat/events/registry.ts";
import { LiveChatList, type Asking, type ReceivedEvent } from "../chat/live-chat-list.ts";
import type { Chat, User } from "../chat/model.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError, hasCode } from "../errors.ts";
import { ITEMS_PER_PIECE, type FairTurns } from "../fair-turns.ts";
import { ChatsChangeQueue, type ChatsChange } from "./chats-change-queue.ts";
import { PendingRecord } from "./pending-record.ts";
import type { StreamState } from "./sink.ts";
import type { SubscriberSet } from "./stream.ts";
import type { Subscriber } from "./subscriber.ts";

/** Where the records of chats come from. Both reject with a GatewayError. */
export interface ChatRecords {
  /** As they are from now on. */
  all(session: Session): Promise<ChatList>;
  /** With its unread count, where that can be told. */
  one(session: Session, chatId: string): Promise<FreshChat>;
}

interface ChatListStreamParts {
  readonly subscribers: SubscriberSet;
  readonly session: Session;
  readonly records: ChatRecords;
  /** Of users whose lists are long. */
  readonly turns: FairTurns;
  /** The present moment in milliseconds since the epoch, later than every one before. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** Every chat, and when they were asked for. */
interface Listing {
  readonly chats: readonly Chat[];
  readonly asking: Asking;
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
  /** The newest whole list, while it waits for a turn. */
  #listing: Listing | undefined;
  readonly #changes: ChatsChangeQueue;

  constructor(parts: ChatListStreamParts) {
    this.#parts = parts;
    this.session = parts.session;
    this.#list = new LiveChatList(parts.session.user.id);
    this.#changes = new ChatsChangeQueue(this.#list, () => this.#turn());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Reads the list, and follows it from then on. Rejects as the records do; the stream has ended then. */
  async open(): Promise<void> {
    const { subscribers, session, records } = this.#parts;
    try {
      await subscribers.add(this);
      const { chats, askedAt } = await records.all(session);
      const asking = { askedAtMs: askedAt, answeredAtMs: this.#parts.now() };
      if (isLong(chats)) await this.#turn();
      this.#load({ chats, asking });
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  deliver(event: DeliveredEvent): void {
    if (this.#changes.isDone || (event.type !== "message.created" && event.type !== "message.read")) return;
    const received = { event, receivedAtMs: this.#parts.now() };
    if (this.#loading) this.#loading.add(received);
    else this.#follow(received);
  }

  /** {@link refresh} follows. */
  joined(): void {}

  /** With a chat: the viewer has joined it, and receives its events. */
  async refresh(chatId?: string): Promise<void> {
    if (chatId === undefined || this.#changes.isDone) return;
    this.#ask(chatId);
  }

  /** Events of a chat are missing, and nobody has them. */
  missed(chatId: string): void {
    if (!this.#changes.isDone) this.#ask(chatId);
  }

  forget(chatId: string): void {
    if (this.#changes.isDone) return;
    this.#pending.get(chatId)?.cancel();
    this.#pending.delete(chatId);
    this.#touchedAt.delete(chatId);
    this.#list.remove(chatId);
    this.#changes.removed(chatId);
  }

  /** Its members have changed. */
  membersChanged(chatId: string, members: readonly User[]): void {
    if (this.#list.setMembers(chatId, members)) this.#touch(chatId);
  }

  described(chatId: string, details: ChatDetails): void {
    if (this.#list.describe(chatId, details)) this.#touch(chatId);
  }

  /** The REST API was asked for the whole list for another reason. */
  listed({ chats, askedAt }: ChatList): void {
    if (this.#changes.isDone || this.#loading || askedAt <= this.#listedAt) return;
    this.#listedAt = askedAt;
    const isNext = this.#listing === undefined;
    this.#listing = { chats, asking: { askedAtMs: askedAt, answeredAtMs: this.#parts.now() } };
    if (!isLong(chats)) this.#takeListing();
    // Where a list waits for its turn already, a newer one takes its place.
    else if (isNext) void this.#turn().then(() => this.#takeListing());
  }

  /** Every change comes by the log, which is read when the bus is connected again. */
  busLost(): void {
    this.#changes.setState({ state: "catching-up" });
  }

  busRestored(): void {
    this.#changes.setState({ state: "live", start: "new" });
  }

  /** Where the stream stands, told when the reader has taken the events before. */
  watchStates(onState: (state: StreamState) => void): void {
    this.#changes.watchStates(onState);
  }

  end(error?: Error): void {
    if (this.#changes.isDone) return;
    this.#parts.subscribers.remove(this);
    for (const pending of this.#pending.values()) pending.cancel();
    this.#pending.clear();
    this.#loading = undefined;
    this.#listing = undefined;
    this.#changes.end(error);
  }

  next(): Promise<IteratorResult<ChatsChange, undefined>> {
    return this.#changes.next();
  }

  async return(): Promise<IteratorResult<ChatsChange, undefined>> {
    this.end();
    return { done: true, value: undefined };
  }

  /** Resolves in a turn of the user's, where a piece of long work may be done. */
  #turn(): Promise<void> {
    return this.#parts.turns.next(this.session.user.id);
  }

  #load({ chats, asking }: Listing): void {
    const early = this.#loading?.events ?? [];
    this.#loading = undefined;
    if (this.#changes.isDone) return;
    this.#listedAt = asking.askedAtMs;
    for (const chat of chats) if (this.#isMember(chat.id)) this.#list.take(chat, asking);
    for (const one of early) this.#follow(one);
    this.#changes.loaded();
  }

  #takeListing(): void {
    const listing = this.#listing;
    this.#listing = undefined;
    if (!listing) return;
    const { chats, asking } = listing;
    for (const chat of chats) {
      if (!this.#isMember(chat.id) || this.#pending.has(chat.id)) continue;
      // What has happened since is newer.
      if ((this.#touchedAt.get(chat.id) ?? -1) >= asking.askedAtMs) continue;
      if (this.#list.take(chat, asking)) this.#changes.changed(chat.id);
    }
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
    const isWanted = (): boolean => !this.#changes.isDone && this.#pending.get(chatId) === pending;
    try {
      const { chat, askedAt } = await this.#parts.records.one(this.session, chatId);
      if (!isWanted()) return;
      this.#pending.delete(chatId);
      if (!this.#isMember(chatId)) return;
      const isNew = this.#list.take(
        { ...chat, isListed: true },
        { askedAtMs: askedAt, answeredAtMs: this.#parts.now() },
      );
      if (isNew || pending.isNeeded) this.#touch(chatId);
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
    this.#changes.changed(chatId);
  }
}

function isLong(chats: readonly Chat[]): boolean {
  return chats.length > ITEMS_PER_PIECE;
}
