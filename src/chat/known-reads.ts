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

/** Readers that are remembered of one message, or of one whole chat: the latest ones. */
const READERS = 200;

const NONE: readonly ReadReceipt[] = [];
const NOBODY: readonly MessageReader[] = [];

/** The display name of somebody in a chat, where it is known. */
export type NameOf = (chatId: string, userId: string) => string | undefined;

export class KnownReads {
  readonly #nameOf: NameOf;
  /** When the first of the others read a message, by chat and message. */
  readonly #messages = createBoundedCache<string, string>({ max: REMEMBERED });
  /** The last receipt of each reader of a message or of a whole chat, the latest first. */
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
    // One that comes late does not take back what was read since.
    const isLate = known.some((other) => other.reader.id === reader.id && other.readAt > readAt);
    if (messageId === null && isLate) return;
    const others = known.filter((other) => other.reader.id !== reader.id);
    this.#receipts.set(key, [receipt, ...others.slice(0, READERS - 1)]);
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
    const readAt = this.#messages.get(keyOf(message.chatId, message.id)) ?? ofChat[0]?.readAt;
    return readAt === undefined ? message : { ...message, readAt };
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
      // The first receipt is of the message itself.
      const first = readers.get(userId)?.readAt ?? readAt;
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

/** @param messageId null: the whole chat. */
function keyOf(chatId: string, messageId: string | null): string {
  // No two pairs have the same: the length says where the chat's id ends.
  return messageId === null ? `${chatId.length} ${chatId}` : `${chatId.length} ${chatId} ${messageId}`;
}
