/**
 * What this process knows of who has read what. The copy of a message that a list of chats has embedded is often older than the
 * message: a receipt that has been seen is not taken back by it.
 */
import { LRUCache } from "lru-cache";
import { createBoundedCache } from "../bounded-cache.ts";
import type { Message, MessageReader, ReadReceipt } from "./model.ts";

const REMEMBERED = 20_000;

/** Receipts that are remembered, of all chats together. */
const REMEMBERED_RECEIPTS = 50_000;

/** Readers that are remembered of one message, and receipts of one whole chat: the latest ones. */
const LATEST = 200;

/** Receipts of one reader for a whole chat that are remembered: of older messages it is not known any more when exactly they were read first. */
const OF_READER = 5;

const NONE: readonly ReadReceipt[] = [];
const NOBODY: readonly MessageReader[] = [];

/** The display name of somebody in a chat, where it is known. */
export type NameOf = (chatId: string, userId: string) => string | undefined;

export class KnownReads {
  readonly #nameOf: NameOf;
  /** When the first of the others read a message, by chat and message. */
  readonly #messages = createBoundedCache<string, string>({ max: REMEMBERED });
  /** The first receipt of each reader of a message, or the last ones of each for the whole chat; the latest first. */
  readonly #receipts = new LRUCache<string, readonly ReadReceipt[]>({
    maxSize: REMEMBERED_RECEIPTS,
    sizeCalculation: ({ length }) => length,
  });

  constructor(nameOf: NameOf = () => undefined) {
    this.#nameOf = nameOf;
  }

  /** Takes note of a message as its history has it. */
  learn({ chatId, id, readAt }: Message): void {
    if (readAt !== null) this.#messages.set(keyOf(chatId, id), readAt);
  }

  learnReceipt(receipt: ReadReceipt): void {
    const { chatId, messageId, reader, readAt } = receipt;
    const key = keyOf(chatId, messageId);
    if (messageId !== null && !this.#messages.has(key)) this.#messages.set(key, readAt);
    const known = this.#receipts.get(key) ?? [];
    const own = known.filter((other) => other.reader.id === reader.id);
    const isKnown = own.some((other) => (messageId === null ? other.readAt === readAt : other.readAt <= readAt));
    if (isKnown) return;
    const dropped = new Set(own.slice(messageId === null ? OF_READER - 1 : 0));
    const kept = known.filter((other) => !dropped.has(other));
    const later = kept.findIndex((other) => other.readAt <= readAt);
    const all = kept.toSpliced(later === -1 ? kept.length : later, 0, receipt);
    this.#receipts.set(key, all.slice(0, LATEST));
  }

  /**
   * A message, or an embedded copy, with what it lacks of who has read it, and everybody who has: whom the REST API names, and whose
   * receipt this process has seen.
   */
  complete(message: Message): Message {
    const ofChat = this.#ofWholeChat(message);
    return this.#withReaders(this.#withReadAt(message, ofChat), ofChat);
  }

  #withReadAt(message: Message, ofChat: readonly ReadReceipt[]): Message {
    if (message.readAt !== null) return message;
    let first = this.#messages.get(keyOf(message.chatId, message.id));
    for (const { readAt } of ofChat) if (first === undefined || readAt < first) first = readAt;
    return first === undefined ? message : { ...message, readAt: first };
  }

  #withReaders(message: Message, ofChat: readonly ReadReceipt[]): Message {
    const { chatId, id, sender, readBy = NOBODY } = message;
    const ofMessage = this.#receipts.get(keyOf(chatId, id)) ?? NONE;
    // Most messages of a long history: nothing is made for them.
    if (ofMessage.length === 0 && ofChat.length === 0 && readBy.length === 0) return message;
    const readers = new Map<string, MessageReader>();
    for (const { reader, readAt } of [...ofMessage, ...ofChat]) {
      const { id: userId, name } = reader;
      const known = readers.get(userId)?.readAt;
      const first = known !== undefined && known <= readAt ? known : readAt;
      readers.set(userId, { userId, name: this.#nameOf(chatId, userId) ?? name, readAt: first });
    }
    // What the REST API says counts.
    for (const { userId, readAt } of readBy) {
      const name = this.#nameOf(chatId, userId) ?? readers.get(userId)?.name;
      readers.set(userId, { userId, name, readAt });
    }
    readers.delete(sender.id);
    return { ...message, readBy: [...readers.values()] };
  }

  #ofWholeChat({ chatId, sender, createdAt }: Message): readonly ReadReceipt[] {
    const receipts = this.#receipts.get(keyOf(chatId, null));
    if (!receipts) return NONE;
    return receipts.filter(({ reader, readAt }) => reader.id !== sender.id && createdAt <= readAt);
  }
}

/** @param messageId null: the whole chat. */
function keyOf(chatId: string, messageId: string | null): string {
  // No two pairs have the same: the length says where the chat's id ends.
  return messageId === null ? `${chatId.length} ${chatId}` : `${chatId.length} ${chatId} ${messageId}`;
}
