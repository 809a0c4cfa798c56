/** What the fan-out knows of a running subscription. */
import type { Position } from "../bus/position.ts";
import type { DeliveredEvent, EventType } from "../chat/events/registry.ts";
import type { Session } from "../chat/session.ts";
import type { GatewayError } from "../errors.ts";

/** One running subscription. `deliver` and `end` may neither throw nor wait. */
export interface Subscriber {
  readonly spec: { readonly type: SubscriptionType; readonly session: Session; readonly chatId: string | undefined };
  // A method, so that subscribers of one type of event are subscribers.
  deliver(event: DeliveredEvent, position: Position | undefined): void;
  end(error?: GatewayError): void;
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

/** The subscribers of one chat or session, by what they are about and by each type of event that they receive. */
export type Subscribers = Map<SubscriptionType, Set<Subscriber>>;

/** A copy: serving them may change the set. */
export function allOf(subscribers: Subscribers | undefined): Iterable<Subscriber> {
  return new Set([...(subscribers?.values() ?? [])].flatMap((ofType) => [...ofType]));
}

export function insert(subscribers: Subscribers, subscriber: Subscriber): void {
  for (const type of typesOf(subscriber)) {
    const ofType = subscribers.get(type);
    if (ofType) ofType.add(subscriber);
    else subscribers.set(type, new Set([subscriber]));
  }
}

export function erase(subscribers: Subscribers, subscriber: Subscriber): void {
  for (const type of typesOf(subscriber)) {
    const ofType = subscribers.get(type);
    ofType?.delete(subscriber);
    if (ofType?.size === 0) subscribers.delete(type);
  }
}

const TYPES_OF_LIST: readonly SubscriptionType[] = ["chats.changed", "message.created", "message.read"];

function typesOf({ spec: { type } }: Subscriber): readonly SubscriptionType[] {
  return type === "chats.changed" ? TYPES_OF_LIST : [type];
}
