/** The domain's values, as they travel over the bus and into GraphQL. Instants are ISO 8601, UTC, milliseconds. */
import type { Position } from "../bus/position.ts";
import type { WireChat, WireMessage } from "../upstream/chat-api.ts";
import { toMilliseconds } from "../upstream/instant.ts";
import { wireMessage } from "../upstream/wire.ts";

export interface User {
  readonly id: string;
  readonly name: string;
}

/** The authenticated user. */
export interface Me extends User {
  readonly email: string;
  readonly role: string | null;
}

export interface Message {
  readonly id: string;
  readonly chatId: string;
  readonly sender: User;
  readonly content: string;
  readonly createdAt: string;
  readonly readAt: string | null;
  readonly clientMessageId: string | null;
  /** Who has read it and when, as far as that is known. */
  readonly readBy?: readonly MessageReader[] | undefined;
  /** Where the bus's log has it, of one that came over the bus. */
  readonly position?: Position | undefined;
  /** An instant, not after its own. Its reader has what was created before that; absent: before its own. */
  readonly lacksSince?: string | undefined;
  /** What its reader has of what was created from then on, the message itself apart. */
  readonly seen?: readonly MessageName[] | undefined;
}

/** What tells a message from others, and when it was created. */
export type MessageName = Pick<Message, "chatId" | "createdAt" | "id">;

/** Somebody who has read a message. */
export interface MessageReader {
  readonly userId: string;
  /** Undefined where nobody knows, as the REST API names readers by id. */
  readonly name?: string | undefined;
  readonly readAt: string;
}

export interface ReadReceipt {
  readonly chatId: string;
  /** Null: the whole chat. */
  readonly messageId: string | null;
  readonly reader: User;
  readonly readAt: string;
}

export interface TypingChange {
  readonly chatId: string;
  readonly user: User;
  readonly isTyping: boolean;
}

export interface Presence {
  readonly user: User;
  readonly online: boolean;
  readonly lastSeenAt: string | null;
}

export interface Chat {
  readonly id: string;
  readonly title: string | null;
  readonly participants: readonly User[];
  /** `history`: the REST API has a last message, in a form that is not a message's: the newest of the history is it. */
  readonly lastMessage: Message | null | "history";
  /** Undefined where the answer at hand does not say. */
  readonly unreadCount: number | undefined;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Whether it is out of a list, which may have chats that their own records refuse. */
  readonly isListed?: boolean;
}

export function toMessage(wire: WireMessage, clientMessageId: string | null = null): Message {
  return {
    id: wire.id,
    chatId: wire.chatId,
    sender: { id: wire.senderId, name: wire.senderName },
    content: wire.content,
    createdAt: toMilliseconds(wire.createdAt),
    readAt: wire.readAt ?? null,
    clientMessageId,
    ...(wire.readBy ? { readBy: wire.readBy } : {}),
  };
}

export function toChat(wire: WireChat): Chat {
  return {
    id: wire.id,
    title: wire.storeName ?? null,
    participants: [
      ...new Map(wire.participants.map((id, index) => [id, { id, name: wire.participantNames[index] ?? id }])).values(),
    ],
    lastMessage: toLastMessage(wire.id, wire.lastMessage),
    unreadCount: wire.unreadCount ?? undefined,
    createdAt: wire.createdAt,
    updatedAt: wire.updatedAt,
  };
}

/** A message of another chat is for that chat's members. */
function toLastMessage(chatId: string, value: unknown): Chat["lastMessage"] {
  if (value === undefined || value === null) return null;
  const { data } = wireMessage.safeParse(value);
  return data?.chatId === chatId ? toMessage(data) : "history";
}
