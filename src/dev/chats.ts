/** Chats and who takes part in them. */
import { randomUUID } from "node:crypto";
import { instant, undoable, type Instants, type NewChat, type StoredChat, type Undoable } from "./data.ts";
import { sql, type Database } from "./database.ts";
import type { Announce } from "./events.ts";
import type { Messages } from "./messages.ts";
import { chatRow, idRow, memberRow } from "./rows.ts";

/** Chats as the contract shows them, put together from their parts. */
export class Chats {
  readonly #database: Database;
  readonly #messages: Messages;
  readonly #instants: Instants;
  readonly #announce: Announce;

  constructor(database: Database, messages: Messages, instants: Instants, announce: Announce) {
    this.#database = database;
    this.#messages = messages;
    this.#instants = instants;
    this.#announce = announce;
  }

  create({ participants, storeName, id = randomUUID(), createdAt: given }: NewChat): StoredChat {
    const createdAt = given === undefined ? this.#instants.next() : instant(given);
    const storeId = storeName === undefined ? null : randomUUID();
    this.#database.run(
      sql`insert into chats (id, storeId, storeName, createdAt, updatedAt)
          values (${id}, ${storeId}, ${storeName ?? null}, ${createdAt}, ${createdAt})`,
    );
    for (const userId of participants) this.#insertMember(id, userId, createdAt);
    const chat = this.existing(id);
    this.#announce({ type: "chat.created", data: { chat } });
    return chat;
  }

  delete(chatId: string): void {
    this.existing(chatId);
    this.#database.run(sql`delete from chats where id = ${chatId}`);
    this.#announce({ type: "chat.deleted", data: { chatId } });
  }

  rename(chatId: string, storeName: string | undefined): StoredChat {
    const storeId = storeName === undefined ? null : (this.existing(chatId).storeId ?? randomUUID());
    this.existing(chatId);
    this.#database.run(
      sql`update chats set storeId = ${storeId}, storeName = ${storeName ?? null} where id = ${chatId}`,
    );
    this.#touch(chatId, this.#instants.next());
    const chat = this.existing(chatId);
    this.#announce({ type: "chat.updated", data: { chat } });
    return chat;
  }

  addMember(chatId: string, userId: string): Undoable {
    const changed = this.#announced(chatId, this.#insertMember(this.existing(chatId).id, userId));
    return undoable(() => changed && this.#announced(chatId, this.#deleteMember(chatId, userId)));
  }

  removeMember(chatId: string, userId: string): Undoable {
    const changed = this.#announced(chatId, this.#deleteMember(this.existing(chatId).id, userId));
    return undoable(() => changed && this.#announced(chatId, this.#insertMember(chatId, userId)));
  }

  #announced(chatId: string, changed: boolean): boolean {
    if (changed) this.#announce({ type: "chat.updated", data: { chat: this.existing(chatId) } });
    return changed;
  }

  find(chatId: string): StoredChat | undefined {
    const row = this.#database.get(chatRow, sql`select * from chats where id = ${chatId}`);
    if (row === undefined) return undefined;
    const { storeId, storeName, ...chat } = row;
    const members = this.#members(chatId);
    const lastMessage = this.#messages.last(chatId);
    return {
      ...chat,
      participants: members.map((member) => member.id),
      participantNames: members.map((member) => member.name),
      ...(storeId !== null && { storeId }),
      ...(storeName !== null && { storeName }),
      ...(lastMessage !== undefined && { lastMessage }),
    };
  }

  /** The user's chats in the order of the storage key, with the user's own `unreadCount`. */
  ofUser(userId: string): readonly StoredChat[] {
    const ids = this.#database.all(idRow, sql`select chatId as id from members where userId = ${userId} order by id`);
    return ids.map(({ id }) =>
      Object.assign(this.existing(id), { unreadCount: this.#messages.unreadCount(id, userId) }),
    );
  }

  /** @throws Error where there is no such chat. */
  existing(chatId: string): StoredChat {
    const chat = this.find(chatId);
    if (chat === undefined) throw new Error(`There is no chat ${chatId}.`);
    return chat;
  }

  #members(chatId: string) {
    return this.#database.all(
      memberRow,
      sql`select users.id, name from members join users on users.id = userId
          where chatId = ${chatId} order by position`,
    );
  }

  /** Answers whether the user was not a member before. */
  #insertMember(chatId: string, userId: string, joinedAt = this.#instants.next()): boolean {
    const added = this.#database.run(
      sql`insert into members (chatId, userId) values (${chatId}, ${userId}) on conflict do nothing`,
    );
    this.#touch(chatId, joinedAt);
    return added > 0;
  }

  /** Answers whether the user was a member before. */
  #deleteMember(chatId: string, userId: string): boolean {
    const removed = this.#database.run(sql`delete from members where chatId = ${chatId} and userId = ${userId}`);
    this.#touch(chatId, this.#instants.next());
    return removed > 0;
  }

  #touch(chatId: string, updatedAt: string): void {
    this.#database.run(sql`update chats set updatedAt = max(updatedAt, ${updatedAt}) where id = ${chatId}`);
  }
}
