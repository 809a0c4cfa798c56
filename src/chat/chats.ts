/** The viewer's chats. */
import type { Access } from "./access.ts";
import type { History } from "./history.ts";
import type { KnownReads } from "./known-reads.ts";
import type { Chat, Message } from "./model.ts";
import type { Identity } from "./session.ts";

interface ChatsOptions {
  readonly access: Access;
  readonly history: History;
  readonly reads: KnownReads;
  /** Whether the REST API says what has been read. */
  readonly hasReceipts: boolean;
}

export class Chats {
  readonly #access: Access;
  readonly #history: History;
  readonly #reads: KnownReads;
  readonly #hasReceipts: boolean;

  constructor({ access, history, reads, hasReceipts }: ChatsOptions) {
    this.#access = access;
    this.#hasReceipts = hasReceipts;
    this.#history = history;
    this.#reads = reads;
  }

  /** Every chat of the viewer, most recently updated first. @throws GatewayError UNAUTHENTICATED, UPSTREAM_… */
  async list(identity: Identity): Promise<readonly Chat[]> {
    const chats = await this.#access.fetchChats(identity);
    const listed = chats.map((chat) => ({ ...chat, isListed: true }));
    return listed.toSorted((a, b) => (a.updatedAt < b.updatedAt ? 1 : a.updatedAt > b.updatedAt ? -1 : 0));
  }

  /** As {@link list}, with everything that has happened by now. */
  async listAnew(identity: Identity): Promise<readonly Chat[]> {
    this.#access.askAnew(identity);
    return this.list(identity);
  }

  /**
   * One chat, with everything that has happened by now, and with its unread count where the REST API tells it. The list is asked for only where
   * the chat's own record, which has messages, has no count.
   *
   * @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async getAnew(identity: Identity, chatId: string): Promise<Chat> {
    this.#access.askAnew(identity);
    const chat = await this.get(identity, chatId);
    if (chat.unreadCount !== undefined) return chat;
    if (chat.lastMessage === null) return { ...chat, unreadCount: 0 };
    return (await this.listAnew(identity)).find(({ id }) => id === chatId) ?? chat;
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
