/** The viewer's chats. */
import { ITEMS_PER_PIECE, type FairTurns } from "../fair-turns.ts";
import type { Access } from "./access.ts";
import type { ChatList } from "./chat-list.ts";
import { Coalescer } from "./coalescer.ts";
import type { History } from "./history.ts";
import type { KnownReads } from "./known-reads.ts";
import type { Chat, Message } from "./model.ts";
import type { Identity } from "./session.ts";

/** A chat, and when it was asked for, a mark of {@link Directory.now}. */
export interface FreshChat {
  readonly chat: Chat;
  readonly askedAt: number;
}

interface ChatsOptions {
  readonly access: Access;
  readonly history: History;
  readonly reads: KnownReads;
  /** Of users whose lists of chats are long. */
  readonly turns: FairTurns;
  /** Whether the REST API says what has been read. */
  readonly hasReceipts: boolean;
}

export class Chats {
  readonly #access: Access;
  readonly #history: History;
  readonly #reads: KnownReads;
  readonly #turns: FairTurns;
  readonly #hasReceipts: boolean;
  readonly #freshLists = new Coalescer<ChatList>();
  readonly #freshChats = new Coalescer<FreshChat>();

  constructor({ access, history, reads, turns, hasReceipts }: ChatsOptions) {
    this.#access = access;
    this.#hasReceipts = hasReceipts;
    this.#history = history;
    this.#reads = reads;
    this.#turns = turns;
  }

  /** Every chat of the viewer, most recently updated first. @throws GatewayError UNAUTHENTICATED, UPSTREAM_… */
  async list(identity: Identity): Promise<readonly Chat[]> {
    const { chats } = await this.#list(identity);
    // The caller that receives it goes on working in this turn.
    if (chats.length > ITEMS_PER_PIECE) await this.#turns.next(identity.user.id);
    return chats;
  }

  /** As {@link list}, with everything that has happened by now. What is asked for with one token at the same time is read once. */
  async listAnew(identity: Identity): Promise<ChatList> {
    const asker = fixed(identity);
    return this.#freshLists.run(asker.tokenHash, async () => {
      this.#access.askAnew(asker);
      return this.#list(asker);
    });
  }

  async #list(identity: Identity): Promise<ChatList> {
    const { chats, askedAt } = await this.#access.fetchChats(identity);
    const listed = chats.map((chat) => ({ ...chat, isListed: true }));
    listed.sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : a.updatedAt > b.updatedAt ? -1 : 0));
    return { chats: listed, askedAt };
  }

  /**
   * One chat, with everything that has happened by now, and with its unread count where the REST API tells it. The list is asked for only where
   * the chat's own record, which has messages, has no count. What is asked for with one token at the same time is read once.
   *
   * @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async getAnew(identity: Identity, chatId: string): Promise<FreshChat> {
    const asker = fixed(identity);
    return this.#freshChats.run(JSON.stringify([asker.tokenHash, chatId]), () => this.#getAnew(asker, chatId));
  }

  async #getAnew(identity: Identity, chatId: string): Promise<FreshChat> {
    const askedAt = this.#access.askAnew(identity);
    const chat = await this.get(identity, chatId);
    if (chat.unreadCount !== undefined) return { chat, askedAt };
    if (chat.lastMessage === null) return { chat: { ...chat, unreadCount: 0 }, askedAt };
    const { chats } = await this.listAnew(identity);
    return { chat: chats.find(({ id }) => id === chatId) ?? chat, askedAt };
  }

  /** @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_… */
  async get(identity: Identity, chatId: string): Promise<Chat> {
    return this.#access.fetchChat(identity, chatId);
  }

  /**
   * The unread count of a chat: as `list`, the viewer's chats, has it, else counted in the history; 0 where nobody knows what has been
   * read.
   *
   * @throws GatewayError NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async unreadCount(identity: Identity, list: readonly Chat[], chatId: string): Promise<number> {
    const count = list.find((chat) => chat.id === chatId)?.unreadCount;
    if (count === undefined && this.#hasReceipts) return this.#history.countUnread(identity, chatId);
    return count ?? 0;
  }

  /** The embedded copy of a message, with what is known of it that the copy lacks. */
  complete(copy: Message): Message {
    return this.#reads.complete(copy);
  }
}

/** A session may have another token when its turn comes. */
function fixed({ token, tokenHash, user }: Identity): Identity {
  return { token, tokenHash, user };
}
