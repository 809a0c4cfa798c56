/**
 * A user's list of chats, kept current by events: what the REST API's list said, and what has been seen since. Every value is absolute.
 * Each method that changes a chat returns whether it did.
 */
import type { ChatDetails } from "./events/chat-changed.ts";
import type { MessageCreated } from "./events/message-created.ts";
import type { MessageRead } from "./events/message-read.ts";
import type { Chat, Message, ReadReceipt, User } from "./model.ts";

/** Messages that are remembered of one chat as unread, or as read, since its record: for receipts of single messages. */
const REMEMBERED = 1000;

/** An event, and when it was received, in milliseconds since the epoch. */
export interface ReceivedEvent {
  readonly event: MessageCreated | MessageRead;
  readonly receivedAtMs: number;
}

/** When a message came, by the REST API's clock and by this gateway's, in milliseconds since the epoch. */
interface Instants {
  readonly createdAt: string;
  readonly receivedAtMs: number;
}

/** When the REST API was asked for a record, and when its answer came, in milliseconds since the epoch, by the clock of the events. */
export interface Asking {
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

/** One chat of the list. Its unread messages are those that the record counts, and those that came after it. */
class LiveChat {
  chat: Chat;
  #asking: Asking;
  /** The newest message that the record knows of was created then: those before it are in its counts. */
  #horizon: string;
  /** When the last message was received, or the record that has it was asked for. */
  #lastAtMs: number;
  /** Unread messages that came after the record, by their ids. */
  #unread: Map<string, Instants> | undefined;
  /** Messages that have been marked as read one by one: who marks twice takes nothing away. */
  #read: Set<string> | undefined;
  /** Those of whom a receipt for the last message has been seen. */
  #readersOfLast: Set<string> | undefined;

  constructor(record: Chat, asking: Asking) {
    this.chat = record;
    this.#asking = asking;
    this.#lastAtMs = asking.askedAtMs;
    this.#horizon = horizonOf(record);
  }

  /** Takes a record, to which belongs what was known before, unless it is older. Returns whether it says anything new. */
  take(record: Chat, asking: Asking): boolean {
    if (asking.askedAtMs < this.#asking.askedAtMs) return false;
    this.#asking = asking;
    this.#horizon = horizonOf(record);
    this.#unread = undefined;
    if (isSame(record, this.chat)) return false;
    this.chat = merged(record, this.chat);
    this.#lastAtMs = asking.askedAtMs;
    this.#readersOfLast = undefined;
    return true;
  }

  add(message: Message, receivedAtMs: number, isOwn: boolean): boolean {
    const { lastMessage, unreadCount, updatedAt } = this.chat;
    if (this.#isKnown(message, receivedAtMs)) return false;
    const last = lastOf(this.chat);
    const isLast = !last || message.createdAt >= last.createdAt;
    this.chat = {
      ...this.chat,
      lastMessage: isLast ? message : lastMessage,
      unreadCount: isOwn || unreadCount === undefined ? unreadCount : unreadCount + 1,
      updatedAt: laterOf(updatedAt, message.createdAt),
    };
    if (isLast) {
      this.#readersOfLast = undefined;
      this.#lastAtMs = receivedAtMs;
    }
    const { id, createdAt } = message;
    if (!isOwn) remember((this.#unread ??= new Map<string, Instants>()), id, { createdAt, receivedAtMs });
    return true;
  }

  /** Whether the record's count may already include a message that has the instant of the record's last one. */
  mayIncludeMessage({ id, createdAt }: Message, receivedAtMs: number): boolean {
    if (createdAt !== this.#horizon || this.#ofRecord === 0 || this.#isInRecord(receivedAtMs)) return false;
    return receivedAtMs <= this.#asking.answeredAtMs && lastOf(this.chat)?.id !== id && this.#unread?.has(id) !== true;
  }

  /**
   * Whether the record's count may already include a receipt of the list's user: the record has a number, and does not say which messages it
   * counts. A receipt is later than the record if it was received, and has an instant, after the answer arrived.
   */
  mayIncludeReceipt({ messageId, readAt }: ReadReceipt, receivedAtMs: number): boolean {
    if (this.#ofRecord === 0 || this.#isInRecord(receivedAtMs)) return false;
    const { answeredAtMs } = this.#asking;
    const isLater = receivedAtMs > answeredAtMs && Date.parse(readAt) > Math.floor(answeredAtMs);
    if (messageId === null) return !isLater && readAt < this.#horizon;
    if (this.#unread?.has(messageId) || this.#read?.has(messageId)) return false;
    const last = lastOf(this.chat);
    // Somebody has read the last message already, and that may have been the user.
    return !isLater || (last?.id === messageId && last.readAt !== null);
  }

  /** A receipt of the user whose list this is: the record's count does not have it, unless the record was asked for after it. */
  readByUser({ messageId, readAt }: ReadReceipt, receivedAtMs: number): boolean {
    const { unreadCount } = this.chat;
    if (this.#isInRecord(receivedAtMs)) {
      if (messageId !== null) remember((this.#read ??= new Set()), messageId);
      return false;
    }
    if (unreadCount === undefined) return false;
    const left = messageId === null ? this.#leftAfter(readAt) : this.#leftWithout(messageId, unreadCount);
    if (left === unreadCount) return false;
    this.chat = { ...this.chat, unreadCount: left };
    return true;
  }

  /** Anybody's receipt. */
  markLast({ messageId, reader, readAt }: ReadReceipt): boolean {
    const last = lastOf(this.chat);
    if (!last || last.sender.id === reader.id) return false;
    const lastInstants = { createdAt: last.createdAt, receivedAtMs: this.#lastAtMs };
    if (messageId === null ? !isCovered(lastInstants, readAt) : last.id !== messageId) return false;
    if (last.readAt !== null && this.#readersOfLast?.has(reader.id)) return false;
    (this.#readersOfLast ??= new Set()).add(reader.id);
    this.chat = { ...this.chat, lastMessage: { ...last, readAt: last.readAt ?? readAt } };
    return true;
  }

  /** How many of the messages that the record counts are unread. */
  get #ofRecord(): number {
    return (this.chat.unreadCount ?? 0) - (this.#unread?.size ?? 0);
  }

  #isKnown({ id, createdAt }: Message, receivedAtMs: number): boolean {
    if (lastOf(this.chat)?.id === id || createdAt < this.#horizon) return true;
    return (createdAt === this.#horizon && this.#isInRecord(receivedAtMs)) || (this.#unread?.has(id) ?? false);
  }

  /** Whether the record was asked for after an event was received: the REST API knew of it then. */
  #isInRecord(receivedAtMs: number): boolean {
    return receivedAtMs <= this.#asking.askedAtMs;
  }

  /** Everything in the chat has been read by then: what the record counts, and some of what came after it. */
  #leftAfter(readAt: string): number {
    for (const [id, instants] of this.#unread ?? []) if (isCovered(instants, readAt)) this.#unread?.delete(id);
    return this.#unread?.size ?? 0;
  }

  #leftWithout(messageId: string, unreadCount: number): number {
    const isNew = this.#unread?.has(messageId) ?? false;
    if (!isNew && (this.#read?.has(messageId) || this.#ofRecord === 0)) return unreadCount;
    this.#unread?.delete(messageId);
    remember((this.#read ??= new Set()), messageId);
    return unreadCount - 1;
  }
}

export class LiveChatList {
  readonly #userId: string;
  readonly #chats = new Map<string, LiveChat>();

  constructor(userId: string) {
    this.#userId = userId;
  }

  get size(): number {
    return this.#chats.size;
  }

  get(chatId: string): Chat | undefined {
    return this.#chats.get(chatId)?.chat;
  }

  /** Every chat, most recently updated first. */
  all(): readonly Chat[] {
    return Array.from(this.#chats.values(), ({ chat }) => chat).toSorted((a, b) =>
      a.updatedAt < b.updatedAt ? 1 : a.updatedAt > b.updatedAt ? -1 : 0,
    );
  }

  /**
   * Takes what the REST API says of a chat. A record that lacks a message which is known says nothing new.
   */
  take(record: Chat, asking: Asking): boolean {
    const live = this.#chats.get(record.id);
    if (live) return !isBehind(record, live.chat) && live.take(record, asking);
    this.#chats.set(record.id, new LiveChat(record, asking));
    return true;
  }

  /** Whether the chat's record may already include an event. A record that is requested now includes it. */
  isUncertain({ event, receivedAtMs }: ReceivedEvent): boolean {
    const live = this.#chats.get(event.chatId);
    if (!live) return false;
    if (event.type === "message.created") {
      return event.message.sender.id !== this.#userId && live.mayIncludeMessage(event.message, receivedAtMs);
    }
    return event.receipt.reader.id === this.#userId && live.mayIncludeReceipt(event.receipt, receivedAtMs);
  }

  /** Takes an event as what has happened since the chat's record was asked for, where that was not asked for later. */
  apply({ event, receivedAtMs }: ReceivedEvent): boolean {
    const live = this.#chats.get(event.chatId);
    if (!live) return false;
    if (event.type === "message.created")
      return live.add(event.message, receivedAtMs, event.message.sender.id === this.#userId);
    const isMarked = live.markLast(event.receipt);
    return event.receipt.reader.id === this.#userId
      ? live.readByUser(event.receipt, receivedAtMs) || isMarked
      : isMarked;
  }

  describe(chatId: string, { title, updatedAt }: ChatDetails): boolean {
    const live = this.#chats.get(chatId);
    if (!live || (live.chat.title === title && live.chat.updatedAt >= updatedAt)) return false;
    live.chat = { ...live.chat, title, updatedAt: laterOf(live.chat.updatedAt, updatedAt) };
    return true;
  }

  setMembers(chatId: string, members: readonly User[]): boolean {
    const live = this.#chats.get(chatId);
    if (!live) return false;
    live.chat = { ...live.chat, participants: members };
    return true;
  }

  remove(chatId: string): boolean {
    return this.#chats.delete(chatId);
  }
}

/**
 * Whether a receipt for the whole chat is for a message. Its instant is of the REST API's clock where that says it, and else of the
 * gateway that was asked for it: the two may be minutes apart.
 */
function isCovered({ createdAt, receivedAtMs }: Instants, readAt: string): boolean {
  return createdAt <= readAt || Math.floor(receivedAtMs) <= Date.parse(readAt);
}

/** Up to when a record knows of messages. */
function horizonOf(record: Chat): string {
  return lastOf(record)?.createdAt ?? record.updatedAt;
}

/** The last message, if the chat has one and it is known. */
function lastOf({ lastMessage }: Chat): Message | undefined {
  return lastMessage === null || lastMessage === "history" ? undefined : lastMessage;
}

function laterOf(one: string, other: string): string {
  return one > other ? one : other;
}

/** A record, with what it does not say: an API may have no last messages, or only their texts. */
function merged(record: Chat, known: Chat): Chat {
  const isUnsaid = record.lastMessage === null || record.lastMessage === "history";
  const lastMessage = isUnsaid && record.updatedAt <= known.updatedAt ? known.lastMessage : record.lastMessage;
  return { ...record, lastMessage, updatedAt: laterOf(record.updatedAt, known.updatedAt) };
}

/** Whether a record is older than what is known: some APIs answer with what was a moment ago. */
function isBehind(record: Chat, known: Chat): boolean {
  const [recorded, last] = [lastOf(record), lastOf(known)];
  if (!last) return false;
  return recorded ? recorded.createdAt < last.createdAt : record.updatedAt < known.updatedAt;
}

function isSame(record: Chat, known: Chat): boolean {
  return (
    record.title === known.title &&
    record.unreadCount === known.unreadCount &&
    record.updatedAt <= known.updatedAt &&
    isSameMessage(record.lastMessage, known.lastMessage) &&
    record.participants.length === known.participants.length &&
    record.participants.every(({ id, name }, index) => {
      const other = known.participants[index];
      return other?.id === id && other.name === name;
    })
  );
}

function isSameMessage(record: Chat["lastMessage"], known: Chat["lastMessage"]): boolean {
  if (record === null || record === "history") return true;
  if (known === null || known === "history") return false;
  // A receipt that is known is not taken back.
  return record.id === known.id && record.content === known.content && (record.readAt ?? known.readAt) === known.readAt;
}

/** Adds to a collection of bounded size: the oldest goes. */
function remember(collection: Set<string>, key: string): void;
function remember(collection: Map<string, Instants>, key: string, value: Instants): void;
function remember(collection: Set<string> | Map<string, Instants>, key: string, value?: Instants): void {
  if (collection instanceof Set) collection.add(key);
  else if (value) collection.set(key, value);
  if (collection.size <= REMEMBERED) return;
  const [oldest] = collection.keys();
  if (oldest !== undefined) collection.delete(oldest);
}
