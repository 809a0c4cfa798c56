/** What travels over the bus, and on which topic. */
import type { Message, Presence, ReadReceipt, TypingChange } from "./model.ts";

export interface MessageCreated {
  readonly type: "message.created";
  readonly chatId: string;
  readonly message: Message;
}

export interface MessageRead {
  readonly type: "message.read";
  readonly chatId: string;
  readonly receipt: ReadReceipt;
}

export interface TypingChanged {
  readonly type: "typing.changed";
  readonly chatId: string;
  readonly change: TypingChange;
}

export interface PresenceChanged {
  readonly type: "presence.changed";
  readonly presence: Presence;
}

/** Events of one chat; all of its topic. */
export type ChatEvent = MessageCreated | MessageRead | TypingChanged;

/** Everything that a subscription can deliver. */
export type DeliveredEvent = ChatEvent | PresenceChanged;

export type EventType = DeliveredEvent["type"];

/** The event of one type. */
export type EventOf<Type extends EventType> = Extract<DeliveredEvent, { type: Type }>;

export type BusEvent = DeliveredEvent;

/** The topic that an event goes by on. */
export function topicOf(event: DeliveredEvent): string {
  return event.type === "presence.changed" ? USERS_TOPIC : chatTopic(event.chatId);
}

/** The events that nobody may miss, which the bus keeps for a while. The others are of states, which can be asked for. */
export function isKept(event: BusEvent): boolean {
  return event.type === "message.created" || event.type === "message.read";
}

/** The topic of a chat's events. */
export function chatTopic(chatId: string): string {
  return `chat:${chatId}`;
}

/** The one topic of what concerns users rather than chats: every instance listens to it. */
export const USERS_TOPIC = "users";
