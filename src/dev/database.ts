/** The development API's file: one SQLite database in WAL mode. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { z } from "zod";

/**
 * `position` is the order of insertion, which decides between messages of one millisecond. The view has the columns of the contract's
 * Message: `readAt` is the first read; senders never read their own.
 */
const SCHEMA = `
  create table if not exists users (
    id text primary key, name text not null, email text not null, role text not null
  ) strict;
  create table if not exists tokens (
    token text primary key, userId text not null references users on delete cascade, expiresAt integer
  ) strict;
  create table if not exists chats (
    id text primary key, storeId text, storeName text, createdAt text not null, updatedAt text not null
  ) strict;
  create table if not exists members (
    position integer primary key,
    chatId text not null references chats on delete cascade,
    userId text not null references users on delete cascade,
    unique (chatId, userId)
  ) strict;
  create index if not exists membersByUser on members (userId);
  create table if not exists messages (
    position integer primary key,
    id text not null unique,
    chatId text not null references chats on delete cascade,
    senderId text not null references users on delete cascade,
    content text not null,
    createdAt text not null
  ) strict;
  create index if not exists messagesByKey on messages (chatId, id);
  create index if not exists messagesByTime on messages (chatId, createdAt, position);
  create table if not exists reads (
    messageId text not null references messages (id) on delete cascade,
    userId text not null references users on delete cascade,
    readAt text not null,
    primary key (messageId, userId)
  ) strict, without rowid;
  create table if not exists idempotencyKeys (
    userId text not null references users on delete cascade,
    key text not null,
    messageId text not null references messages (id) on delete cascade,
    primary key (userId, key)
  ) strict, without rowid;
  create view if not exists wireMessages as
    select messages.*, users.name as senderName,
      (select min(readAt) from reads where messageId = messages.id) as readAt
    from messages join users on users.id = messages.senderId;
`;

/** One statement with its values. */
export interface Query {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

/** Each `${}` becomes a bound value. */
export function sql(parts: TemplateStringsArray, ...values: readonly SQLInputValue[]): Query {
  return { text: parts.join("?"), values };
}

/** The database; every row that comes out of it is checked against a schema. */
export class Database implements Disposable {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens the database, and makes it and its folder where there is none.
   *
   * @param file a path, or `:memory:`.
   * @throws Error where the file cannot be opened or is not a database.
   */
  constructor(file: string) {
    if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true });
    this.#connection = new DatabaseSync(file, { timeout: 5000 });
    try {
      // In WAL mode NORMAL survives the end of the process; only a power cut can cost the last writes.
      this.#connection.exec("pragma journal_mode = wal; pragma synchronous = normal;");
      this.#connection.exec(SCHEMA);
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** The first row, if there is one. */
  get<T>(row: z.ZodType<T>, query: Query): T | undefined {
    const found = this.#statement(query).get(...query.values);
    return found === undefined ? undefined : row.parse(found);
  }

  all<T>(row: z.ZodType<T>, query: Query): readonly T[] {
    return this.#statement(query)
      .all(...query.values)
      .map((found) => row.parse(found));
  }

  /** Answers with how many rows were written. */
  run(query: Query): number {
    return Number(this.#statement(query).run(...query.values).changes);
  }

  /** Runs `work` as one transaction: all of its writes happen, or none. */
  transaction<T>(work: () => T): T {
    this.#connection.exec("begin immediate");
    try {
      const result = work();
      this.#connection.exec("commit");
      return result;
    } catch (error) {
      this.#connection.exec("rollback");
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  #statement({ text }: Query): StatementSync {
    const statement = this.#statements.get(text) ?? this.#connection.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}
