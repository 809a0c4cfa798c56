/** The viewer's chats. */
import { GatewayError } from "../errors.ts";
import type { Access } from "./access.ts";
import type { Chat } from "./model.ts";
import type { Identity } from "./session.ts";

export class Chats {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /** Every chat of the viewer, most recently updated first. @throws GatewayError UNAUTHENTICATED, UPSTREAM_… */
  async list(identity: Identity): Promise<readonly Chat[]> {
    const chats = await this.#access.fetchChats(identity);
    return chats.toSorted((a, b) => (a.updatedAt < b.updatedAt ? 1 : a.updatedAt > b.updatedAt ? -1 : 0));
  }

  /** @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_… */
  async get(identity: Identity, chatId: string): Promise<Chat> {
    return this.#access.fetchChat(identity, chatId);
  }

  /**
   * The unread count of one of `list`, the viewer's chats: the only answer of the REST API that has to have it.
   *
   * @throws GatewayError UPSTREAM_UNAVAILABLE where it has not.
   */
  unreadCount(list: readonly Chat[], chatId: string): number {
    const count = list.find((chat) => chat.id === chatId)?.unreadCount;
    if (count === undefined) {
      throw new GatewayError("UPSTREAM_UNAVAILABLE", {
        cause: new Error("GET /chats: a chat's unreadCount is missing"),
      });
    }
    return count;
  }
}
