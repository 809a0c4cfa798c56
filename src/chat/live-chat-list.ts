/**
 * A user's list of chats, kept current by events: what the REST API's list said, and what has been seen since. Every value is absolute.
 * Each method that changes a chat returns whether it did.
 */
import type { ChatDetails } from "./events/chat-changed.ts";
import type { MessageCreated } from "./events/message-created.ts";
import type { MessageRead } from "./events/message-read.ts";
import type { Chat, Message, ReadReceipt, User } from "./model.ts";

/** How far clocks may be apart: a receipt that is older than a list by less may be newer. */
const CLOCK_SKEW_MS = 1000;

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

/** One chat of the list. */
class LiveChat {
  chat: Chat;
  /** When the REST API was asked for the record, in milliseconds since the epoch. */
  readonly #askedAtMs: number;
  /** The newest message that the record knows of was created then: those before it are in its counts. */
  readonly #horizon: string;
  /** When the last message was received, or the record that has it was asked for. */
  #lastAtMs: number;
  /** Unread messages that came after the record, by their ids. */
  #unread: Map<string, Instants> | undefined;
  /** Messages from before the record that were read since. */
  #read: Set<string> | undefined;
  /** Those of whom a receipt for the last message has been seen. */
  #readersOfLast: Set<string> | undefined;

  /** @param known what of the chat was known before, to which the record belongs as well. */
  constructor(record: Chat, askedAtMs: number, known: Chat | undefined) {
    this.chat = known ? merged(record, known) : record;
    this.#askedAtMs = askedAtMs;
    this.#lastAtMs = askedAtMs;
    const { lastMessage, updatedAt } = record;
    this.#horizon = lastMessage === null || lastMessage === "history" ? updatedAt : lastMessage.createdAt;
  }

  add(message: Message, receivedAtMs: number, isOwn: boolean): boolean {
    const { lastMessage: last, unreadCount, updatedAt } = this.chat;
    if (this.#isKnown(message)) return false;
    const isLast = last === null || last === "history" || message.createdAt >= last.createdAt;
    this.chat = {
      ...this.chat,
      lastMessage: isLast ? message : last,
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

  /** A receipt of the user whose list this is. */
  readByUser(receipt: ReadReceipt): boolean {
    const { unreadCount } = this.chat;
    if (unreadCount === undefined || unreadCount === 0) return false;
    const left =
      receipt.messageId === null ? this.#leftAfter(receipt, unreadCount) : this.#leftWithout(receipt, unreadCount);
    if (left === unreadCount) return false;
    this.chat = { ...this.chat, unreadCount: left };
    return true;
  }

  /** Anybody's receipt. */
  markLast({ messageId, reader, readAt }: ReadReceipt): boolean {
    const { lastMessage: last } = this.chat;
    if (last === null || last === "history" || last.sender.id === reader.id) return false;
    const lastInstants = { createdAt: last.createdAt, receivedAtMs: this.#lastAtMs };
    if (messageId === null ? !isCovered(lastInstants, readAt) : last.id !== messageId) return false;
    if (last.readAt !== null && this.#readersOfLast?.has(reader.id)) return false;
    (this.#readersOfLast ??= new Set()).add(reader.id);
    this.chat = { ...this.chat, lastMessage: { ...last, readAt: last.readAt ?? readAt } };
    return true;
  }

  #isKnown({ id, createdAt }: Message): boolean {
    const { lastMessage: last } = this.chat;
    if (last !== null && last !== "history" && last.id === id) return true;
    return createdAt < this.#horizon || (this.#unread?.has(id) ?? false);
  }

  /** Everything in the chat has been read by then. */
  #leftAfter({ readAt }: ReadReceipt, unreadCount: number): number {
    // By the clock that the receipt may be of: the REST API's, which the record has too, or a gateway's.
    const isOld = readAt < this.#horizon && Date.parse(readAt) < this.#askedAtMs - CLOCK_SKEW_MS;
    let read = 0;
    for (const [id, instants] of this.#unread ?? []) {
      if (!isCovered(instants, readAt)) continue;
      this.#unread?.delete(id);
      read++;
    }
    // The record was asked for after that: what it counts is unread in spite of it.
    return isOld ? unreadCount - read : (this.#unread?.size ?? 0);
  }

  #leftWithout({ messageId, readAt }: ReadReceipt, unreadCount: number): number {
    if (messageId === null) return unreadCount;
    if (this.#unread?.delete(messageId)) return unreadCount - 1;
    const wasRead = Date.parse(readAt) < this.#askedAtMs - CLOCK_SKEW_MS;
    if (wasRead || this.#read?.has(messageId)) return unreadCount;
    remember((this.#read ??= new Set<string>()), messageId);
    return unreadCount - 1;
  }
}

export class LiveChatList {
  readonly #userId: string;
  readonly #chats = new Map<string, LiveChat>();

  constructor(userId: string) {
    this.#userId = userId;
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
   * Takes what the REST API says of a chat, as it was asked at `askedAtMs` (since the epoch). A record that lacks a message which is
   * known says nothing new.
   */
  take(record: Chat, askedAtMs: number): boolean {
    const known = this.get(record.id);
    if (known && (isBehind(record, known) || isSame(record, known))) return false;
    this.#chats.set(record.id, new LiveChat(record, askedAtMs, known));
    return true;
  }

  apply({ event, receivedAtMs }: ReceivedEvent): boolean {
    const live = this.#chats.get(event.chatId);
    if (!live) return false;
    if (event.type === "message.created")
      return live.add(event.message, receivedAtMs, event.message.sender.id === this.#userId);
    const isMarked = live.markLast(event.receipt);
    return event.receipt.reader.id === this.#userId ? live.readByUser(event.receipt) || isMarked : isMarked;
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
function isBehind(
  { lastMessage: recorded, updatedAt }: Chat,
  { lastMessage: known, updatedAt: knownAt }: Chat,
): boolean {
  if (known === null || known === "history") return false;
  if (recorded === null || recorded === "history") return updatedAt < knownAt;
  return recorded.createdAt < known.createdAt;
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
