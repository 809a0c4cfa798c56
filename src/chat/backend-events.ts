/** What the backend reports to `POST /events`: published before it is acknowledged, and once however often it is reported. */
import { z } from "zod";
import type { Bus } from "../bus/bus.ts";
import { id, instant, wireChat, wireMessage } from "../upstream/wire.ts";
import type { Announcements } from "./announcements.ts";
import type { Directory } from "./directory.ts";
import type { BusEvent } from "./events/registry.ts";
import type { Messages } from "./messages.ts";
import { toChat, toMessage } from "./model.ts";
import { once } from "./once.ts";
import type { Receipts } from "./receipts.ts";

function report<Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return z.object({ type: z.literal(type), timestamp: z.string(), data });
}

/** The body of a request. */
export const backendEvent = z.discriminatedUnion("type", [
  report("message.created", z.object({ message: wireMessage })),
  report("message.read", z.object({ chatId: id, messageId: id.nullish(), userId: id, readAt: instant })),
  report("chat.created", z.object({ chat: wireChat })),
  report("chat.updated", z.object({ chat: wireChat })),
  report("chat.deleted", z.object({ chatId: id })),
  report("user.signed_out", z.object({ userId: id })),
]);

export type BackendEvent = z.output<typeof backendEvent>;

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
  async accept(eventId: string, event: BackendEvent): Promise<void> {
    await once({
      state: this.#bus.state,
      key: `event:${eventId}`,
      pendingMs: PUBLISHING_MS,
      ttlMs: EVENT_ID_TTL_MS,
      work: async () => {
        await this.#publish(event);
        return null;
      },
    });
  }

  async #publish(event: BackendEvent): Promise<void> {
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
        const chat = toChat(event.data.chat);
        return this.#announcements.announce({
          type: "chat.changed",
          chatId: chat.id,
          participants: chat.participants,
        });
      }
      case "chat.deleted":
        return this.#announcements.announce({ type: "chat.deleted", chatId: event.data.chatId });
      case "user.signed_out":
        return this.#announcements.announce({ type: "user.signed_out", userId: event.data.userId });
    }
  }
}
