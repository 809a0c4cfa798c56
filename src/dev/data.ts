/** What can be done to the development API's data directly, past its HTTP side. */
import type { WireMessage } from "../upstream/wire.ts";

/** A user with a token that works. */
export interface DemoUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly token: string;
}

/** A chat as the contract has it. */
export interface StoredChat {
  readonly id: string;
  readonly participants: readonly string[];
  /** In the order of `participants`. */
  readonly participantNames: readonly string[];
  readonly storeId?: string;
  readonly storeName?: string;
  readonly lastMessage?: WireMessage;
  /** Messages that one user has not read; only in that user's list of chats. */
  readonly unreadCount?: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Something that was done and can be taken back; taking it back twice does nothing. */
export interface Undoable extends Disposable {
  lift(): void;
}

export interface NewUser {
  readonly name: string;
  /** A new UUID where absent, and so is the token. */
  readonly id?: string;
  readonly token?: string;
}

export interface NewChat {
  readonly participants: readonly string[];
  /** The title. */
  readonly storeName?: string;
  readonly id?: string;
  /** Now where absent. */
  readonly createdAt?: string;
}

export interface NewMessage {
  readonly chatId: string;
  readonly senderId: string;
  readonly content: string;
  readonly id?: string;
  /** Now where absent. */
  readonly createdAt?: string;
}

export interface TokenOptions {
  /** A made-up one where absent: a JWT that names its expiry if it has one, otherwise opaque. */
  readonly token?: string;
  /** When the API stops accepting it; never where absent. */
  readonly expiresAt?: Date;
}

/** Every method throws where a chat or user that it is given does not exist. Nothing here asks who is allowed to do it. */
export interface Data {
  createUser(user: NewUser): DemoUser;
  createChat(chat: NewChat): StoredChat;
  /** Takes the chat's messages along. */
  deleteChat(chatId: string): void;
  /** Without a title the chat has none. */
  renameChat(chatId: string, storeName: string | undefined): StoredChat;
  addMember(chatId: string, userId: string): Undoable;
  removeMember(chatId: string, userId: string): Undoable;
  /** Stores a message as if it had been sent past the gateway. */
  addMessage(message: NewMessage): WireMessage;
  /** Every message of the chat in the order of creation. */
  messages(chatId: string): readonly WireMessage[];
  issueToken(userId: string, options?: TokenOptions): string;
  /** Whose token it is; undefined where it is unknown, revoked or expired. */
  userOf(token: string): string | undefined;
  /** From now on the token is refused with 401. */
  revokeToken(token: string): Undoable;
  /** Revokes every token of a user, and tells of it. A token that is revoked by itself is found out by who uses it. */
  signOut(userId: string): void;
}

/** @param lift runs once, at the first `lift()` or at the end of a `using` block. */
export function undoable(lift: () => void): Undoable {
  let lifted = false;
  const once = (): void => {
    if (lifted) return;
    lifted = true;
    lift();
  };
  return { lift: once, [Symbol.dispose]: once };
}

/**
 * The one form of all instants, since the database compares them as text: with microseconds.
 *
 * @param given in any form that `Date` reads. @throws RangeError where it is none.
 */
export function instant(given: string): string {
  const finer = /:\d\d[.,]\d{3}(\d{1,3})/.exec(given)?.[1] ?? "";
  return `${new Date(given).toISOString().slice(0, -1)}${finer.padEnd(3, "0")}Z`;
}

/** The present, each time later than before: two messages of one millisecond have an order, on whichever pages they are. */
export class Instants {
  #lastMicroseconds = 0;

  next(): string {
    this.#lastMicroseconds = Math.max(Date.now() * 1000, this.#lastMicroseconds + 1);
    const milliseconds = new Date(Math.floor(this.#lastMicroseconds / 1000)).toISOString();
    return instant(`${milliseconds.slice(0, -1)}${String(this.#lastMicroseconds % 1000).padStart(3, "0")}Z`);
  }
}
