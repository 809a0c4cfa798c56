/** Every type of event that travels over the bus, and what follows from their definitions. */
import { z } from "zod";
import type { Compaction, EventKind, LogPart } from "../../bus/bus.ts";
import type { Position } from "../../bus/position.ts";
import type { Cursors } from "../cursor.ts";
import { chatChanged } from "./chat-changed.ts";
import { chatDeleted } from "./chat-deleted.ts";
import type { EventFrom, Recipients, TopicName } from "./definition.ts";
import { membershipEnded } from "./membership-ended.ts";
import { messageCreated } from "./message-created.ts";
import { messageRead } from "./message-read.ts";
import { positionsHandedOver } from "./positions-handed-over.ts";
import { presenceChanged } from "./presence-changed.ts";
import { chatTopic, USERS_TOPIC } from "./topics.ts";
import { typingChanged } from "./typing-changed.ts";
import { userLookup } from "./user-lookup.ts";
import { unknownChat } from "./unknown-chat.ts";
import { userSignedOut } from "./user-signed-out.ts";

const EVENTS = [
  messageCreated,
  messageRead,
  typingChanged,
  presenceChanged,
  chatChanged,
  chatDeleted,
  membershipEnded,
  userSignedOut,
  unknownChat,
  userLookup,
  positionsHandedOver,
] as const;

type Definition = (typeof EVENTS)[number];

/** The events of these definitions; one member of the union each. */
type EventsFrom<Definitions extends Definition> = Definitions extends unknown ? EventFrom<Definitions> : never;

export type BusEvent = EventsFrom<Definition>;

/** Everything that a subscription can deliver. */
export type DeliveredEvent = EventsFrom<Extract<Definition, { recipients: "subscribers" }>>;

export type EventType = DeliveredEvent["type"];

/** The event of one type. */
export type EventOf<Type extends EventType> = Extract<DeliveredEvent, { type: Type }>;

/** Events of one chat, on its topic. */
export type ChatEvent = EventsFrom<Extract<Definition, { topic: "chat" }>>;

/** Those of them that the chat's log keeps: a subscription misses none. */
export type DurableChatEvent = EventsFrom<Extract<Definition, { topic: "chat"; kind: "durable" }>>;

/** What every instance has to know: who is in which chat, and who is signed in. */
export type AccessEvent = EventsFrom<Extract<Definition, { topic: "users"; recipients: "instances" }>>;

/** A definition, for a lookup by an event's type. Methods, since those of one type's definition take the events of that type alone. */
interface AnyDefinition {
  readonly kind: EventKind;
  readonly topic: TopicName;
  readonly recipients: Recipients;
  id?(event: BusEvent): string;
  time?(event: BusEvent): number;
  compaction?(event: BusEvent): Compaction;
  withPosition?(event: BusEvent, position: Position): BusEvent;
  cursor?(event: BusEvent, cursors: Cursors): string;
}

const BY_TYPE: ReadonlyMap<string, AnyDefinition> = new Map(EVENTS.map((definition) => [definition.name, definition]));

function definitionOf({ type }: BusEvent): AnyDefinition {
  const definition = BY_TYPE.get(type);
  if (!definition) throw new Error(`${type} is not in the registry of events`);
  return definition;
}

const [first, ...others] = EVENTS;
const busEvent = z.discriminatedUnion("type", [first.schema, ...others.map(({ schema }) => schema)]);

/** What another instance sent, checked: it may be of another version. Undefined where it is no event. */
export function decodeEvent(value: unknown): BusEvent | undefined {
  return busEvent.safeParse(value).data;
}

export function kindOf(event: BusEvent): EventKind {
  return definitionOf(event).kind;
}

/** What a durable event is known by on its topic, however often it is published. */
export function idOf(event: BusEvent): string {
  const id = definitionOf(event).id?.(event);
  if (id === undefined) throw new Error(`${event.type} is not durable`);
  return id;
}

/** When a durable event came about, in milliseconds since the epoch; undefined where it does not say so. */
export function timeOf(event: BusEvent): number | undefined {
  return definitionOf(event).time?.(event);
}

/** How a durable event takes the place of earlier ones in the log; undefined where it does not. */
export function compactionOf(event: BusEvent): Compaction | undefined {
  return definitionOf(event).compaction?.(event);
}

/** The part of the log that has the events of a type. */
export function logPartOf(type: DurableChatEvent["type"]): LogPart {
  return BY_TYPE.get(type)?.compaction ? "compacted" : "kept";
}

/** The topic that an event is published on. */
export function topicOf(event: BusEvent): string {
  return isChatEvent(event) ? chatTopic(event.chatId) : definitionOf(event).topic;
}

/** Whether a value is an event, of a kind that subscriptions deliver. What came over the bus has been checked. */
export function isDelivered(value: unknown): value is DeliveredEvent {
  if (typeof value !== "object" || value === null || !("type" in value) || typeof value.type !== "string") return false;
  return BY_TYPE.get(value.type)?.recipients === "subscribers";
}

export function isChatEvent(event: BusEvent): event is ChatEvent {
  return definitionOf(event).topic === "chat";
}

export function isDurableChatEvent(event: BusEvent): event is DurableChatEvent {
  return isChatEvent(event) && kindOf(event) === "durable";
}

export function isAccessEvent(event: BusEvent): event is AccessEvent {
  const { topic, recipients } = definitionOf(event);
  return topic === USERS_TOPIC && recipients === "instances";
}

/** From where a subscription goes on that has delivered this event last; undefined where clients cannot say so. */
export function cursorAfter(event: DeliveredEvent, cursors: Cursors): string | undefined {
  return definitionOf(event).cursor?.(event, cursors);
}

/** The event as subscribers get it: with its position in the log, where it has one and they need it. */
export function withPosition<Event extends BusEvent>(event: Event, position: Position | undefined): Event {
  if (position === undefined) return event;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a definition copies events of its own type
  return (definitionOf(event).withPosition?.(event, position) ?? event) as Event;
}
