/** What the backend says: on the bus before it is told that it was heard, and once however often it says it. */
import type { Bus } from "../bus/bus.ts";
import type { WireEvent } from "../upstream/wire-events.ts";
import type { Announcements } from "./announcements.ts";
import type { Directory } from "./directory.ts";
import type { BusEvent } from "./events.ts";
import type { Messages } from "./messages.ts";
import { toChat, toMessage } from "./model.ts";
import { once } from "./once.ts";
import type { Receipts } from "./receipts.ts";

/** How long an event's id is remembered: backends repeat themselves for hours, most of them for minutes. */
const EVENT_ID_TTL_MS = 24 * 3_600_000;

/** How long an instance may be at publishing one before it is taken for dead. */
const PUBLISHING_MS = 10_000;

export class BackendEvents {
  readonly #bus: Bus<BusEvent>;
  readonly #announcements: Announcements;
  readonly #directory: Directory;
  readonly #messages: Messages;
  readonly #receipts: Receipts;

  constructor(
    bus: Bus<BusEvent>,
    announcements: Announcements,
    directory: Directory,
    messages: Messages,
    receipts: Receipts,
  ) {
    this.#bus = bus;
    this.#announcements = announcements;
    this.#directory = directory;
    this.#messages = messages;
    this.#receipts = receipts;
  }

  /**
   * Resolves when the event is on the bus, now or earlier. Rejects where it could not be put there, or nobody can tell whether it
   * was; the same id may then be used again.
   */
  async accept(id: string, event: WireEvent): Promise<void> {
    await once({
      state: this.#bus.state,
      key: `event:${id}`,
      pendingMs: PUBLISHING_MS,
      ttlMs: EVENT_ID_TTL_MS,
      work: async () => {
        await this.#publish(event);
        return null;
      },
    });
  }

  async #publish(event: WireEvent): Promise<void> {
    switch (event.type) {
      case "message.created":
        await this.#messages.deliver(toMessage(event.data.message));
        return;
      case "message.read": {
        const { chatId, messageId, userId, readAt } = event.data;
        const name = this.#directory.chat(chatId)?.participants.get(userId)?.name ?? userId;
        return this.#receipts.deliver({ chatId, messageId: messageId ?? null, reader: { id: userId, name }, readAt });
      }
      case "chat.created":
      case "chat.updated": {
        const { id, participants } = toChat(event.data.chat);
        return this.#announcements.announce({ type: "chat.changed", chatId: id, participants });
      }
      case "chat.deleted":
        return this.#announcements.announce({ type: "chat.deleted", chatId: event.data.chatId });
      case "user.signed_out":
        return this.#announcements.announce({ type: "user.signed_out", userId: event.data.userId });
    }
  }
}
