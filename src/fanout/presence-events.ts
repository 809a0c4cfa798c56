/** Who is online, as events for those who come: one for each state of a user, so that what is made of it is made once. */
import { createBoundedCache } from "../bounded-cache.ts";
import type { PresenceChanged } from "../chat/events/presence-changed.ts";
import type { Presence } from "../chat/model.ts";

/** Users whose state is remembered. */
const MAX_USERS = 10_000;

export class PresenceEvents {
  readonly #events = createBoundedCache<string, PresenceChanged>({ max: MAX_USERS });

  /** The same object as before where the state is the same. */
  of(presence: Presence): PresenceChanged {
    const { id } = presence.user;
    const known = this.#events.get(id);
    if (known && isSame(known.presence, presence)) return known;
    const event: PresenceChanged = { type: "presence.changed", presence };
    this.#events.set(id, event);
    return event;
  }
}

function isSame(one: Presence, other: Presence): boolean {
  return one.online === other.online && one.lastSeenAt === other.lastSeenAt && one.user.name === other.user.name;
}
