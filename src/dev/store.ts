/** The development API's data, synchronous, on one SQLite file. */
import { Chats } from "./chats.ts";
import { Instants, type Data } from "./data.ts";
import { Database } from "./database.ts";
import type { Announce } from "./events.ts";
import { Messages } from "./messages.ts";
import { Users } from "./users.ts";

/** Everything that is stored, by kind. */
export class Store implements Disposable {
  readonly users: Users;
  readonly chats: Chats;
  readonly messages: Messages;
  readonly #database: Database;

  /**
   * @param file a path, or `:memory:`.
   * @param announce is called for every write, the seed's included.
   */
  constructor(file: string, announce: Announce) {
    this.#database = new Database(file);
    this.users = new Users(this.#database, announce);
    const instants = new Instants();
    this.messages = new Messages(this.#database, instants, announce);
    this.chats = new Chats(this.#database, this.messages, instants, announce);
  }

  /** Runs `work` as one transaction. */
  atomically<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

/** The store as it is handed to those who run the API. */
export function dataOf({ users, chats, messages }: Store): Data {
  return {
    createUser: (user) => users.create(user),
    createChat: (chat) => chats.create(chat),
    deleteChat: (chatId) => chats.delete(chatId),
    renameChat: (chatId, storeName) => chats.rename(chatId, storeName),
    addMember: (chatId, userId) => chats.addMember(chatId, userId),
    removeMember: (chatId, userId) => chats.removeMember(chatId, userId),
    addMessage: (message) => messages.add(message),
    messages: (chatId) => messages.all(chats.existing(chatId).id),
    issueToken: (userId, options) => users.issueToken(userId, options),
    userOf: (token) => users.profile(token)?.userId,
    revokeToken: (token) => users.revokeToken(token),
    signOut: (userId) => users.signOut(userId),
  };
}
