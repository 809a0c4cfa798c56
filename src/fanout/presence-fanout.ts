/** From a user's presence to the subscriptions of this process that are to be sent it. */
import type { PresenceChanged } from "../chat/events/presence-changed.ts";
import type { User } from "../chat/model.ts";
import type { Presence } from "../chat/presence.ts";
import type { PresenceAudience } from "../chat/presence-audience.ts";
import type { KnownChat, Session } from "../chat/session.ts";
import type { Room } from "./room.ts";
import type { Subscribers } from "./subscriber.ts";

interface PresenceFanoutOptions {
  readonly presence: Pick<Presence, "heard" | "known">;
  readonly presenceAudience: PresenceAudience;
  /** The chats that are listened to, by id. */
  readonly rooms: ReadonlyMap<string, Room>;
  readonly deliver: (subscribers: Subscribers, event: PresenceChanged) => void;
  /** Not all that is to be shown in a room could be read. */
  readonly incomplete: (room: Room) => void;
}

export class PresenceFanout {
  readonly #options: PresenceFanoutOptions;
  /** For each reading that is under way, the users whose change was announced meanwhile. */
  readonly #readings = new Set<Set<string>>();

  constructor(options: PresenceFanoutOptions) {
    this.#options = options;
  }

  /** It concerns who shares a chat with that user, once, however many chats they share. */
  announce(event: PresenceChanged): void {
    const { id: userId } = event.presence.user;
    this.#options.presence.heard(event.presence);
    for (const changed of this.#readings) changed.add(userId);
    const served = new Set<Session>();
    for (const chat of this.#options.presenceAudience.chatsOf(userId)) {
      const room = this.#options.rooms.get(chat.id);
      if (room) this.#serve(room, event, served);
    }
  }

  /**
   * These users are new in a chat. Their presence is read once and delivered to all who are in it: each subscription knows what is new
   * to it.
   */
  async show(chat: KnownChat, users: readonly User[]): Promise<void> {
    const { presence, presenceAudience, rooms } = this.#options;
    if (!rooms.has(chat.id) || !presenceAudience.includes(chat)) return;
    const changed = new Set<string>();
    this.#readings.add(changed);
    try {
      const { presences, isComplete } = await presence.known(users);
      const room = rooms.get(chat.id);
      if (!room) return;
      if (!isComplete) this.#options.incomplete(room);
      for (const each of presences) {
        // What was announced meanwhile is newer, and has been delivered.
        if (!changed.has(each.user.id)) this.#serve(room, { type: "presence.changed", presence: each }, new Set());
      }
    } finally {
      this.#readings.delete(changed);
    }
  }

  #serve(room: Room, event: PresenceChanged, served: Set<Session>): void {
    for (const [session, mine] of room.audience) {
      if (served.has(session)) continue;
      served.add(session);
      this.#options.deliver(mine, event);
    }
    this.#options.deliver(room.direct, event);
  }
}
