/** What travels over the bus, and on which topic. */
import type { EventKind } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import type { Message, Presence, ReadReceipt, TypingChange, User } from "./model.ts";

export interface MessageCreated {
  readonly type: "message.created";
  readonly chatId: string;
  readonly message: Message;
}

export interface MessageRead {
  readonly type: "message.read";
  /** Its own: who marks twice reads twice. */
  readonly id: string;
  readonly chatId: string;
  readonly receipt: ReadReceipt;
}

export interface TypingChanged {
  readonly type: "typing.changed";
  readonly chatId: string;
  /** Milliseconds after which it is over, unless it is said again: whoever said it may have died. Undefined of a stop. */
  readonly expiresInMs?: number | undefined;
  readonly change: TypingChange;
}

export interface PresenceChanged {
  readonly type: "presence.changed";
  readonly presence: Presence;
}

/** Who is in a chat now: somebody was added or removed, or the chat is new. */
export interface ChatChanged {
  readonly type: "chat.changed";
  readonly id: string;
  readonly chatId: string;
  readonly participants: readonly User[];
}

/** A chat is gone, and every membership with it. */
export interface ChatDeleted {
  readonly type: "chat.deleted";
  readonly id: string;
  readonly chatId: string;
}

/** The REST API has refused this user this chat. */
export interface MembershipEnded {
  readonly type: "membership.ended";
  readonly id: string;
  readonly chatId: string;
  readonly userId: string;
}

export interface UserSignedOut {
  readonly type: "user.signed_out";
  readonly id: string;
  readonly userId: string;
}

/** What every instance has to know: who is in which chat, and who is signed in. */
export type AccessEvent = ChatChanged | ChatDeleted | MembershipEnded | UserSignedOut;

/** An access event that has not been given its id yet. */
export type AccessNews = WithoutId<AccessEvent>;

type WithoutId<Type> = Type extends unknown ? Omit<Type, "id"> : never;

/** Events of one chat; all of its topic. */
export type ChatEvent = MessageCreated | MessageRead | TypingChanged;

/** Everything that a subscription can deliver. */
export type DeliveredEvent = ChatEvent | PresenceChanged;

export type EventType = DeliveredEvent["type"];

/** The event of one type. */
export type EventOf<Type extends EventType> = Extract<DeliveredEvent, { type: Type }>;

export type BusEvent = DeliveredEvent | AccessEvent;

/** Whether an event is one of a chat's own, which its subscribers get. */
export function isChatEvent(event: BusEvent): event is ChatEvent {
  return event.type === "message.created" || event.type === "message.read" || event.type === "typing.changed";
}

/** The event as subscribers get it: a message says where the log has it, so that its cursor can. */
export function placed<Event extends BusEvent>(event: Event, position: Position | undefined): Event {
  if (position === undefined || event.type !== "message.created") return event;
  return { ...event, message: { ...event.message, position } };
}

/** The topic that an event goes by on. */
export function topicOf(event: DeliveredEvent): string {
  return event.type === "presence.changed" ? USERS_TOPIC : chatTopic(event.chatId);
}

/** Nobody may miss what is logged. The others are of states, which can be asked for. */
export function kindOf({ type }: BusEvent): EventKind {
  return type === "typing.changed" || type === "presence.changed" ? "transient" : "logged";
}

/** What a logged event is known by on its topic, however often it is published. */
export function idOf(event: BusEvent): string {
  switch (event.type) {
    case "message.created":
      return `message ${event.message.id}`;
    case "message.read":
    case "chat.changed":
    case "chat.deleted":
    case "membership.ended":
    case "user.signed_out":
      return event.id;
    default:
      throw new Error(`${event.type} is not logged`);
  }
}

/** The topic of a chat's events. */
export function chatTopic(chatId: string): string {
  return `chat:${chatId}`;
}

/** The one topic of what concerns users rather than chats: every instance listens to it. */
export const USERS_TOPIC = "users";
