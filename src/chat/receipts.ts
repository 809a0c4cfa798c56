/** Marking as read. */
import type { Bus } from "../bus/bus.ts";
import type { ChatApi } from "../upstream/chat-api.ts";
import type { Access } from "./access.ts";
import { chatTopic, type BusEvent } from "./events.ts";
import type { ReadReceipt } from "./model.ts";
import type { Identity } from "./session.ts";

export class Receipts {
  readonly #api: ChatApi;
  readonly #access: Access;
  readonly #bus: Bus<BusEvent>;

  constructor(api: ChatApi, access: Access, bus: Bus<BusEvent>) {
    this.#api = api;
    this.#access = access;
    this.#bus = bus;
  }

  /**
   * Marks one message, or the whole chat without `messageId`, and notifies the members of the chat.
   *
   * @throws GatewayError BAD_USER_INPUT (one's own message), NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async mark(identity: Identity, chatId: string, messageId?: string): Promise<ReadReceipt> {
    const [readAt] = await Promise.all([
      this.#access.call(identity, chatId, async () => {
        if (messageId !== undefined) return this.#api.markRead(identity.token, chatId, messageId);
        await this.#api.markChatRead(identity.token, chatId);
        return undefined;
      }),
      this.#access.learnMembers(identity, chatId),
    ]);
    const { id, name } = identity.user;
    const receipt = {
      chatId,
      messageId: messageId ?? null,
      reader: { id, name },
      // Not every deployment says when it was.
      readAt: readAt ?? new Date().toISOString(),
    };
    await this.#bus.publish(chatTopic(chatId), { type: "message.read", chatId, receipt });
    return receipt;
  }
}
