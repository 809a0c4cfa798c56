/** What the backend reports to `POST /events`: published before it is acknowledged, and once however often it is reported. */
import type { LRUCache } from "lru-cache";
import { createBoundedCache } from "../bounded-cache.ts";
import { z } from "zod";
import { boundedWait } from "../bounded.ts";
import type { Bus, Unsubscribe } from "../bus/bus.ts";
import { earlier } from "../bus/position.ts";
import { id, instant, wireChat, wireMessage } from "../upstream/wire.ts";
import type { Announcements } from "./announcements.ts";
import type { Directory } from "./directory.ts";
import { topicOf, type BusEvent } from "./events/registry.ts";
import { UNKNOWN_CHATS_TOPIC } from "./events/topics.ts";
import type { Messages } from "./messages.ts";
import { toChat, toMessage, type Message } from "./model.ts";
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

export const BACKEND_EVENT_TYPES: readonly BackendEvent["type"][] = backendEvent.options.map(
  ({ shape }) => shape.type.value,
);

/** How long an event's id is remembered: backends repeat themselves for hours, most of them for minutes. */
const EVENT_ID_TTL_MS = 24 * 3_600_000;

/** How long an instance may be at publishing one before it is taken for dead. */
const PUBLISHING_MS = 10_000;

/** How long a report of a chat's event waits for its publication, which goes on however long that takes. */
const PUBLICATION_WAIT_MS = 1000;

/** How far the clocks of two logs may be apart. */
const CLOCK_SKEW_MS = 10;

const REMEMBERED_CHATS = 10_000;

interface BackendEventsOptions {
  readonly bus: Bus<BusEvent>;
  readonly announcements: Announcements;
  readonly directory: Directory;
  readonly messages: Messages;
  readonly receipts: Receipts;
  /** How long after an event a user who learns of its chat is still sent it, in milliseconds: not longer than the log reaches back. */
  readonly expectMs: number;
}

export class BackendEvents {
  readonly #options: BackendEventsOptions;
  readonly #bus: Bus<BusEvent>;
  /** The unknown chats that the other instances know of: one event serves all that are published soon after it. */
  readonly #announced: LRUCache<string, true>;
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: BackendEventsOptions) {
    this.#options = options;
    this.#bus = options.bus;
    this.#announced = createBoundedCache({ max: REMEMBERED_CHATS, ttl: Math.ceil(options.expectMs / 2) });
  }

  async start(): Promise<void> {
    const { directory, expectMs } = this.#options;
    this.#unsubscribe = await this.#bus.subscribe(UNKNOWN_CHATS_TOPIC, {
      receive(event, position) {
        if (event.type !== "chat.unknown" || position === undefined) return;
        directory.expect(event.chatId, earlier(position, CLOCK_SKEW_MS), expectMs);
      },
    });
  }

  async close(): Promise<void> {
    await this.#unsubscribe?.();
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

  /** A trigger in a database knows ids alone: the chat's members have names. */
  #named(message: Message): Message {
    const { chatId, sender } = message;
    const known = this.#options.directory.chat(chatId)?.participants.get(sender.id);
    return known && sender.name === sender.id ? { ...message, sender: known } : message;
  }

  /**
   * Delivers to the known members. A user who learns of the chat soon is sent the event then, on whichever instance.
   *
   * @param eventId tells it from others.
   */
  async #deliver(chatId: string, eventId: string, publish: () => Promise<unknown>): Promise<void> {
    if (this.#options.directory.chat(chatId) || this.#announced.has(chatId)) {
      await publish();
      return;
    }
    const published = this.#announce(chatId, eventId).then(publish);
    await boundedWait(this.#bus.isConnected ? PUBLICATION_WAIT_MS : 0, published, undefined);
  }

  /** Resolves when the log has the announcement: the position of what is published then is a later one. */
  async #announce(chatId: string, messageId: string): Promise<void> {
    const event: BusEvent = { type: "chat.unknown", chatId, messageId };
    await this.#bus.publish(topicOf(event), event);
    this.#announced.set(chatId, true);
  }

  async #publish(event: BackendEvent): Promise<void> {
    const { announcements, directory, messages, receipts } = this.#options;
    switch (event.type) {
      case "message.created": {
        const message = this.#named(toMessage(event.data.message));
        return this.#deliver(message.chatId, message.id, () => messages.deliver(message));
      }
      case "message.read": {
        const { chatId, messageId, userId, readAt } = event.data;
        const name = directory.chat(chatId)?.participants.get(userId)?.name ?? userId;
        const receipt = { chatId, messageId: messageId ?? null, reader: { id: userId, name }, readAt };
        return this.#deliver(chatId, JSON.stringify([messageId, userId, readAt]), () => receipts.deliver(receipt));
      }
      case "chat.created":
      case "chat.updated": {
        const { id: chatId, participants, title, updatedAt } = toChat(event.data.chat);
        return announcements.announce({ type: "chat.changed", chatId, participants, details: { title, updatedAt } });
      }
      case "chat.deleted":
        return announcements.announce({ type: "chat.deleted", chatId: event.data.chatId });
      case "user.signed_out":
        return announcements.announce({ type: "user.signed_out", userId: event.data.userId });
    }
  }
}
