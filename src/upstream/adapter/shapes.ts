/** What an adapter answers with: the shapes of the REST API that the gateway expects. */

export interface ApiProfile {
  readonly userId: string;
  readonly email?: string | undefined;
  /** The id where absent, as with every display name. */
  readonly name?: string | null | undefined;
  readonly role?: string | null | undefined;
}

/** Instants are texts like `2026-01-31T09:30:00.000Z`. */
export interface ApiChat {
  readonly id: string;
  /** The ids of everybody in the chat. */
  readonly participants: readonly string[];
  /** In the same order. */
  readonly participantNames?: readonly (string | null | undefined)[] | undefined;
  /** The title. */
  readonly storeName?: string | null | undefined;
  readonly lastMessage?: ApiMessage | null | undefined;
  readonly unreadCount?: number | null | undefined;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface ApiMessage {
  readonly id: string;
  readonly chatId: string;
  readonly senderId: string;
  readonly senderName?: string | null | undefined;
  readonly content: string;
  readonly createdAt: string;
  /** When the first of the others read it. */
  readonly readAt?: string | null | undefined;
  readonly readBy?: readonly { readonly userId: string; readonly readAt: string }[] | undefined;
}

/** What the gateway asks for of a history: the first page, or the one after the page that answered `next`. */
export interface PageRequest {
  /** May be ignored. */
  readonly limit: number;
  readonly next: string | undefined;
}

export interface ApiPage {
  readonly messages: readonly ApiMessage[];
  /** Whatever the adapter needs to find the next page; undefined on the last. */
  readonly next?: string | undefined;
}
