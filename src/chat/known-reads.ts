/**
 * What this process knows of who has read what. The copy of a message that a list of chats has embedded is often older than the
 * message: a receipt that has been seen is not taken back by it.
 */
import { LRUCache } from "lru-cache";
import type { Message, ReadReceipt } from "./model.ts";

const REMEMBERED = 20_000;

/** The last time that somebody read a whole chat. */
interface ChatRead {
  readonly readerId: string;
  readonly readAt: string;
}

export class KnownReads {
  /** By chat and message. */
  readonly #messages = new LRUCache<string, string>({ max: REMEMBERED });
  readonly #chats = new LRUCache<string, ChatRead>({ max: REMEMBERED });

  /** Takes note of a message as its history has it. */
  learn({ chatId, id, readAt }: Message): void {
    if (readAt !== null) this.#messages.set(keyOf(chatId, id), readAt);
  }

  learnReceipt({ chatId, messageId, reader, readAt }: ReadReceipt): void {
    if (messageId === null) this.#chats.set(chatId, { readerId: reader.id, readAt });
    else if (!this.#messages.has(keyOf(chatId, messageId))) this.#messages.set(keyOf(chatId, messageId), readAt);
  }

  /** An embedded copy, with what it lacks. */
  complete(copy: Message): Message {
    if (copy.readAt !== null) return copy;
    const readAt = this.#messages.get(keyOf(copy.chatId, copy.id)) ?? this.#readWithChat(copy);
    return readAt === undefined ? copy : { ...copy, readAt };
  }

  #readWithChat({ chatId, sender, createdAt }: Message): string | undefined {
    const read = this.#chats.get(chatId);
    return read && read.readerId !== sender.id && createdAt <= read.readAt ? read.readAt : undefined;
  }
}

function keyOf(chatId: string, messageId: string): string {
  return JSON.stringify([chatId, messageId]);
}
