/** Messages, and who has read them. */
import { randomUUID } from "node:crypto";
import type { WireMessage } from "../upstream/wire.ts";
import { instant, type Instants, type NewMessage } from "./data.ts";
import { sql, type Database } from "./database.ts";
import type { Announce } from "./events.ts";
import { countRow, messageRow, readRow } from "./rows.ts";

/** Where a page of messages goes on, and how many it may have. */
export interface PageRequest {
  readonly limit: number;
  /** The last id of the page before; undefined: the first page. */
  readonly afterId: string | undefined;
}

export interface StoredPage {
  /** In the order of creation, though the pages among themselves are in the order of ids. */
  readonly messages: readonly WireMessage[];
  /** The last id in the order of ids; undefined on the last page. */
  readonly lastId: string | undefined;
}

/** The messages of every chat. */
export class Messages {
  readonly #database: Database;
  readonly #instants: Instants;
  readonly #announce: Announce;

  constructor(database: Database, instants: Instants, announce: Announce) {
    this.#database = database;
    this.#instants = instants;
    this.#announce = announce;
  }

  add(message: NewMessage): WireMessage {
    const added = this.#insert(message);
    this.#announce({ type: "message.created", data: { message: added } });
    return added;
  }

  #insert(message: NewMessage): WireMessage {
    const { id = randomUUID(), chatId, senderId, content } = message;
    const createdAt = message.createdAt === undefined ? this.#instants.next() : instant(message.createdAt);
    this.#database.run(
      sql`insert into messages (id, chatId, senderId, content, createdAt)
          values (${id}, ${chatId}, ${senderId}, ${content}, ${createdAt})`,
    );
    this.#database.run(sql`update chats set updatedAt = max(updatedAt, ${createdAt}) where id = ${chatId}`);
    const added = this.find(chatId, id);
    if (added === undefined) throw new Error("The message has not been stored.");
    return added;
  }

  /** Stores a message, or gives back the one that the same sender has stored under the same key. */
  addOnce(message: NewMessage, key: string): WireMessage {
    const { senderId } = message;
    const { message: result, isNew } = this.#database.transaction(() => {
      const stored = this.#database.get(
        messageRow,
        sql`select wireMessages.* from idempotencyKeys join wireMessages on id = messageId
            where userId = ${senderId} and key = ${key}`,
      );
      if (stored !== undefined) return { message: stored, isNew: false };
      const added = this.#insert(message);
      this.#database.run(
        sql`insert into idempotencyKeys (userId, key, messageId) values (${senderId}, ${key}, ${added.id})`,
      );
      return { message: added, isNew: true };
    });
    // Not before it is certain that it stays.
    if (isNew) this.#announce({ type: "message.created", data: { message: result } });
    return result;
  }

  find(chatId: string, messageId: string): WireMessage | undefined {
    return this.#database.get(
      messageRow,
      sql`select * from wireMessages where chatId = ${chatId} and id = ${messageId}`,
    );
  }

  /** Every message of the chat in the order of creation. */
  all(chatId: string): readonly WireMessage[] {
    return this.#database.all(
      messageRow,
      sql`select * from wireMessages where chatId = ${chatId} order by createdAt, position`,
    );
  }

  page(chatId: string, { limit, afterId = "" }: PageRequest): StoredPage {
    const found = this.#database.all(
      messageRow,
      sql`select * from wireMessages where chatId = ${chatId} and id > ${afterId} order by id limit ${limit + 1}`,
    );
    const messages = found.slice(0, limit);
    return { messages: messages.toSorted(byCreation), lastId: found.length > limit ? messages.at(-1)?.id : undefined };
  }

  /** Marks one message as read by one user. Answers with the instant of that user's first read. */
  markRead(chatId: string, messageId: string, userId: string, readAt = now()): string {
    const marked = this.#database.run(
      sql`insert or ignore into reads (messageId, userId, readAt) values (${messageId}, ${userId}, ${readAt})`,
    );
    if (marked > 0) this.#announce({ type: "message.read", data: { chatId, messageId, userId, readAt } });
    const first = sql`select readAt from reads where messageId = ${messageId} and userId = ${userId}`;
    return this.#database.get(readRow, first)?.readAt ?? readAt;
  }

  /** Marks everything that others have written in the chat as read by the user. */
  markChatRead(chatId: string, userId: string): void {
    const readAt = now();
    const marked = this.#database.run(
      sql`insert or ignore into reads (messageId, userId, readAt)
          select id, ${userId}, ${readAt} from messages where chatId = ${chatId} and senderId <> ${userId}`,
    );
    if (marked > 0) this.#announce({ type: "message.read", data: { chatId, userId, readAt } });
  }

  last(chatId: string): WireMessage | undefined {
    return this.#database.get(
      messageRow,
      sql`select * from wireMessages where chatId = ${chatId} order by createdAt desc, position desc limit 1`,
    );
  }

  unreadCount(chatId: string, userId: string): number {
    const unread = sql`
      select count(*) as count from messages where chatId = ${chatId} and senderId <> ${userId}
      and not exists (select 1 from reads where messageId = messages.id and userId = ${userId})`;
    return this.#database.get(countRow, unread)?.count ?? 0;
  }
}

/** Instants of reading decide no order. */
function now(): string {
  return new Date().toISOString();
}

function byCreation(a: WireMessage, b: WireMessage): number {
  const [earlier, later] = [a, b].map(({ createdAt }) => instant(createdAt));
  return earlier === later ? 0 : (earlier ?? "") < (later ?? "") ? -1 : 1;
}
