/** What the fan-out knows of a running subscription. */
import type { Position } from "../bus/position.ts";
import type { DeliveredEvent, EventType } from "../chat/events/registry.ts";
import type { Session } from "../chat/session.ts";
import type { GatewayError } from "../errors.ts";

/** One running subscription. `deliver` and `end` may neither throw nor wait. */
export interface Subscriber {
  readonly spec: { readonly type: EventType; readonly session: Session; readonly chatId: string | undefined };
  // A method, so that subscribers of one type of event are subscribers.
  deliver(event: DeliveredEvent, position: Position | undefined): void;
  end(error?: GatewayError): void;
  /** The viewer is a member of a chat since that position of its log: what is after it is for the viewer. */
  joined(chatId: string, since: Position): void;
  /** The viewer has left a chat. */
  forget(chatId: string): void;
  /** The viewer has joined a chat, or transient events may have been missed: delivers the present state where it is new. */
  refresh(): Promise<void>;
  /** The bus is disconnected: live delivery pauses. */
  busLost(): void;
  /** The bus is connected again: what was missed can be read. */
  busRestored(): void;
}

/** The subscribers of one chat or session, by type of event. */
export type Subscribers = Map<EventType, Set<Subscriber>>;

/** A copy: serving them may change the set. */
export function allOf(subscribers: Subscribers | undefined): readonly Subscriber[] {
  return [...(subscribers?.values() ?? [])].flatMap((ofType) => [...ofType]);
}

export function insert(subscribers: Subscribers, subscriber: Subscriber): void {
  const { type } = subscriber.spec;
  const ofType = subscribers.get(type);
  if (ofType) ofType.add(subscriber);
  else subscribers.set(type, new Set([subscriber]));
}

export function erase(subscribers: Subscribers, subscriber: Subscriber): void {
  const ofType = subscribers.get(subscriber.spec.type);
  ofType?.delete(subscriber);
  if (ofType?.size === 0) subscribers.delete(subscriber.spec.type);
}
