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
  /** Whatever the adapter needs to find the next page; undefined, null, false or an empty text on the last. A number comes back as a text. */
  readonly next?: string | number | false | null | undefined;
}

/**
 * The `next` of the following {@link PageRequest}; undefined after the last page.
 *
 * @param next of a page: as an adapter passes it on from its API, whatever its types say.
 * @throws TypeError for what no page can be asked for with.
 */
export function continuationOf(next: unknown): string | undefined {
  if (next === undefined || next === null || next === false || next === "") return undefined;
  if (typeof next === "string" || typeof next === "number") return String(next);
  throw new TypeError("`next` of a page is neither a text nor a number");
}
