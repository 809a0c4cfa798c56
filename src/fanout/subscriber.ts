/** What the fan-out knows of a running subscription. */
import type { Position } from "../bus/position.ts";
import type { DeliveredEvent, EventType } from "../chat/events/registry.ts";
import type { Session } from "../chat/session.ts";
import type { GatewayError } from "../errors.ts";

/** One running subscription. `deliver` and `end` may neither throw nor wait. */
export interface Subscriber {
  readonly type: SubscriptionType;
  readonly session: Session;
  /** Undefined: every chat of the viewer. */
  readonly chatId: string | undefined;
  // A method, so that subscribers of one type of event are subscribers.
  deliver(event: DeliveredEvent, position: Position | undefined): void;
  end(error?: GatewayError): void;
  /** As {@link joined}, which follows as soon as the chat's events arrive. */
  joining?(chatId: string, since: Position): void;
  /** The viewer is a member of a chat since that position of its log: what is after it is for the viewer. */
  joined(chatId: string, since: Position): void;
  /** The viewer has left a chat. */
  forget(chatId: string): void;
  /**
   * The viewer has joined a chat, whose events arrive from now on, or, without `chatId`, transient events may have been missed: delivers
   * the present state where it is new.
   */
  refresh(chatId?: string): Promise<void>;
  /** Messages of a chat are missing, and nobody can say which. What has no answer to that ends with CURSOR_EXPIRED. */
  missed?(chatId: string): void;
  /** The bus is disconnected: live delivery pauses. */
  busLost(): void;
  /** The bus is connected again: what was missed can be read. */
  busRestored(): void;
}

/** What a subscription is about: one type of event, or the list of chats, which is made of several. */
export type SubscriptionType = EventType | "chats.changed";

/** Nobody, one subscriber, or several. One takes no memory of its own: every session has some. */
type Some = Subscriber | Set<Subscriber> | undefined;

/** The subscribers of one chat or session, by what they are about and by each type of event that they receive. */
export class Subscribers {
  /** A type that nobody receives any more stays, as undefined: deleting a property makes a table of an object. */
  readonly #byType: { [type in SubscriptionType]?: Some } = {};

  get isEmpty(): boolean {
    return Object.values(this.#byType).every((some) => some === undefined);
  }

  /** Each of them, once. A copy: serving them may change who is there. */
  all(): ReadonlySet<Subscriber> {
    return new Set(Object.values(this.#byType).flatMap((some) => [...each(some)]));
  }

  /** Those who receive events of this type. */
  of(type: SubscriptionType): Iterable<Subscriber> {
    return each(this.#byType[type]);
  }

  /** Delivers an event to all who receive its type. Returns how many they are. */
  deliver(event: DeliveredEvent, position: Position | undefined): number {
    const some = this.#byType[event.type];
    if (some === undefined) return 0;
    if (!(some instanceof Set)) {
      some.deliver(event, position);
      return 1;
    }
    let count = 0;
    for (const subscriber of some) {
      count++;
      subscriber.deliver(event, position);
    }
    return count;
  }

  add(subscriber: Subscriber): void {
    for (const type of typesOf(subscriber)) {
      const some = this.#byType[type];
      if (some === undefined) this.#byType[type] = subscriber;
      else if (some instanceof Set) some.add(subscriber);
      else if (some !== subscriber) this.#byType[type] = new Set([some, subscriber]);
    }
  }

  delete(subscriber: Subscriber): void {
    for (const type of typesOf(subscriber)) {
      const some = this.#byType[type];
      if (some === subscriber) this.#byType[type] = undefined;
      else if (some instanceof Set && some.delete(subscriber) && some.size === 0) this.#byType[type] = undefined;
    }
  }
}

function each(some: Some): Iterable<Subscriber> {
  return some === undefined ? [] : some instanceof Set ? some : [some];
}

const TYPES_OF_LIST: readonly SubscriptionType[] = ["chats.changed", "message.created", "message.read"];

function typesOf({ type }: Subscriber): readonly SubscriptionType[] {
  return type === "chats.changed" ? TYPES_OF_LIST : [type];
}
