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

/** Receipts that are remembered of one message, or of one whole chat. */
const RECEIPTS = 200;

const NONE: readonly ReadReceipt[] = [];
const NOBODY: readonly MessageReader[] = [];

/** The display name of somebody in a chat, where it is known. */
export type NameOf = (chatId: string, userId: string) => string | undefined;

export class KnownReads {
  readonly #nameOf: NameOf;
  /** When the first of the others read a message, by chat and message. */
  readonly #messages = createBoundedCache<string, string>({ max: REMEMBERED });
  /** Receipts of a message, the first of each reader, or of a whole chat, those of each reader; the latest first. */
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
    const isKnown = (other: ReadReceipt): boolean => other.reader.id === reader.id && other.readAt <= readAt;
    if (messageId !== null && known.some(isKnown)) return;
    const others = messageId === null ? known : known.filter((other) => other.reader.id !== reader.id);
    const later = others.findIndex((other) => other.readAt <= readAt);
    this.#receipts.set(key, fitting(others.toSpliced(later === -1 ? others.length : later, 0, receipt)));
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
    const ofMessage = this.#messages.get(keyOf(message.chatId, message.id));
    const [ofFirst] = [
      ...(ofMessage === undefined ? [] : [ofMessage]),
      ...ofChat.map(({ readAt }) => readAt),
    ].toSorted();
    return ofFirst === undefined ? message : { ...message, readAt: ofFirst };
  }

  #withReaders(message: Message, ofChat: readonly ReadReceipt[]): Message {
    const { chatId, id, sender, readBy = NOBODY } = message;
    const ofMessage = this.#receipts.get(keyOf(chatId, id)) ?? NONE;
    // Most messages of a long history: nothing is made for them.
    if (ofMessage.length === 0 && ofChat.length === 0 && readBy.length === 0) return message;
    const readers = new Map<string, MessageReader>();
    for (const { userId, readAt } of readBy) {
      readers.set(userId, { userId, name: this.#nameOf(chatId, userId), readAt });
    }
    for (const { reader, readAt } of [...ofMessage, ...ofChat]) {
      const { id: userId, name } = reader;
      const known = readers.get(userId)?.readAt;
      // What the REST API says counts.
      const isOwn = readBy.some((other) => other.userId === userId);
      const first = known !== undefined && (isOwn || known <= readAt) ? known : readAt;
      readers.set(userId, { userId, name: this.#nameOf(chatId, userId) ?? name, readAt: first });
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

/** No more than are remembered: of the oldest one that its reader has another one after, or else the oldest. */
function fitting(receipts: readonly ReadReceipt[]): readonly ReadReceipt[] {
  if (receipts.length <= RECEIPTS) return receipts;
  const isRepeated = ({ reader }: ReadReceipt, index: number): boolean =>
    receipts.findIndex((other) => other.reader.id === reader.id) < index;
  const dropped = receipts.findLastIndex(isRepeated);
  return receipts.toSpliced(dropped === -1 ? receipts.length - 1 : dropped, 1);
}

/** @param messageId null: the whole chat. */
function keyOf(chatId: string, messageId: string | null): string {
  // No two pairs have the same: the length says where the chat's id ends.
  return messageId === null ? `${chatId.length} ${chatId}` : `${chatId.length} ${chatId} ${messageId}`;
}
