/** What every instance is told of memberships and sign-outs, and what it does about it. */
import { randomUUID } from "node:crypto";
import type { Bus, Unsubscribe } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import type { Directory } from "./directory.ts";
import { isAccessEvent, topicOf, type AccessEvent, type BusEvent } from "./events/registry.ts";
import { USERS_TOPIC } from "./events/topics.ts";
import type { Sessions } from "./sessions.ts";

/** An access event that has no id yet. */
export type Announcement = WithoutId<AccessEvent>;

type WithoutId<Type> = Type extends unknown ? Omit<Type, "id"> : never;

export class Announcements {
  readonly #bus: Bus<BusEvent>;
  readonly #directory: Directory;
  readonly #sessions: Sessions;
  #unsubscribe: Unsubscribe | undefined;

  constructor(bus: Bus<BusEvent>, directory: Directory, sessions: Sessions) {
    this.#bus = bus;
    this.#directory = directory;
    this.#sessions = sessions;
  }

  async start(): Promise<void> {
    this.#unsubscribe = await this.#bus.subscribe(USERS_TOPIC, {
      receive: (event, position) => {
        if (isAccessEvent(event)) this.#apply(event, position);
      },
      recover: async () => {
        this.#sessions.recheckAll();
        return [];
      },
    });
  }

  async close(): Promise<void> {
    await this.#unsubscribe?.();
  }

  /** Takes effect on every instance, this one included. */
  async announce(announcement: Announcement): Promise<void> {
    const event = { ...announcement, id: randomUUID() };
    await this.#bus.publish(topicOf(event), event);
  }

  #apply(event: AccessEvent, position: Position | undefined): void {
    switch (event.type) {
      case "chat.changed":
        this.#directory.learn({ id: event.chatId, participants: event.participants }, this.#directory.now(), position);
        if (event.details) this.#directory.describe(event.chatId, event.details);
        break;
      case "chat.deleted":
        this.#directory.remove(event.chatId);
        break;
      case "membership.ended":
        this.#directory.refuse(event.userId, event.chatId);
        break;
      case "user.signed_out":
        this.#sessions.signOut(event.userId);
        break;
      case "user.lookup":
        // A question, which the operator's listener answers.
        break;
      case "positions.handed_over":
        // Resume points take them.
        break;
    }
  }
}
