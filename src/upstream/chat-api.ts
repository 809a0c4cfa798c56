/** The REST API as the rest of the gateway sees it: one method a request, typed answers, errors of the catalogue. */
import type { UpstreamStatus } from "./http.ts";
import type { UpstreamStatistics } from "./statistics.ts";
import type { WireChat, WireMessage, WireProfile } from "./wire.ts";

/** What an API may lack. */
export interface Capabilities {
  /** Messages can be marked as read, and say when they were. */
  readonly receipts: boolean;
  /** The list of chats says how many messages the viewer has not read. */
  readonly unreadCounts: boolean;
  /** One chat can be asked for by itself. */
  readonly chat: boolean;
}

/**
 * How to ask for the page after one: the parameter's name follows from the dialect in which the last page answered; an adapter has its
 * own, `next`.
 */
export interface NextPage {
  readonly parameter: "nextToken" | "lastMessageId" | "next";
  readonly value: string;
}

/** One page of a chat's history, in the order of the storage key. */
export interface MessagePage {
  readonly messages: readonly WireMessage[];
  /** Undefined on the last page. */
  readonly next: NextPage | undefined;
}

/**
 * Every method takes the user's own token and rejects with a GatewayError alone: UNAUTHENTICATED (401), NOT_PARTICIPANT (403),
 * NOT_FOUND (404), BAD_USER_INPUT (400, with the API's sentence), NOT_SUPPORTED (a capability that it lacks), UPSTREAM_TIMEOUT,
 * UPSTREAM_UNAVAILABLE (anything else).
 */
export interface ChatApi {
  readonly capabilities: Capabilities;
  readonly status: UpstreamStatus;
  readonly statistics: UpstreamStatistics;
  profile(token: string): Promise<WireProfile>;
  chats(token: string): Promise<readonly WireChat[]>;
  chat(token: string, chatId: string): Promise<WireChat>;
  messages(token: string, chatId: string, limit: number, page?: NextPage): Promise<MessagePage>;
  /** `idempotencyKey` goes into the Idempotency-Key header. */
  sendMessage(token: string, chatId: string, content: string, idempotencyKey: string): Promise<WireMessage>;
  /** The instant that the API gave, ISO 8601, or undefined where it gives none. */
  markRead(token: string, chatId: string, messageId: string): Promise<string | undefined>;
  markChatRead(token: string, chatId: string): Promise<void>;
  /** What is asked with this token from now on is asked anew, even where an equal request is under way. */
  detachReads(token: string): void;
  /** Ends after the requests under way, which may take `graceMs` (as long as they may take at all where absent) before they fail. */
  close(graceMs?: number): Promise<void>;
}

export type { UpstreamStatus, WireChat, WireMessage, WireProfile };
