/**
 * Adapters: a REST API of another shape, translated into the one that the gateway reads. This module is what
 * `graphql-chat-gateway/adapter` exports.
 */
import type { AdapterHttp } from "./http.ts";
import { HELPERS, type Helpers } from "./helpers.ts";
import type { ApiChat, ApiMessage, ApiPage, ApiProfile, PageRequest } from "./shapes.ts";

export type { ApiChat, ApiMessage, ApiPage, ApiProfile, PageRequest };

/** The calls of the gateway, for the user whose token `http` carries. */
export interface AdapterApi {
  /** Whose the token is. */
  profile(): Promise<ApiProfile>;
  /** Every chat of the user. */
  chats(): Promise<readonly ApiChat[]>;
  /** Absent where the adapter lacks `chat`. */
  chat?(chatId: string): Promise<ApiChat>;
  messages(chatId: string, page: PageRequest): Promise<ApiPage>;
  /** Answers with the message as the API has it now. */
  sendMessage(chatId: string, content: string, idempotencyKey: string): Promise<ApiMessage>;
  /** Answers with the instant where the API says it. Absent, as is `markChatRead`, where the adapter lacks `receipts`. */
  markRead?(chatId: string, messageId: string): Promise<string | void>;
  markChatRead?(chatId: string): Promise<unknown>;
}

/** What an API may lack: see `Capabilities` for what each means. */
export type Lack = "receipts" | "unreadCounts" | "chat";

export type CreateAdapterApi = (http: AdapterHttp, helpers: Helpers) => AdapterApi;

/** What a module that HTTP_API_ADAPTER names exports as its default. */
export interface Adapter {
  readonly kind: "chat-api-adapter";
  readonly create: CreateAdapterApi;
  readonly lacks: readonly Lack[];
}

/**
 * @param create called for each call of the gateway, with a client that carries that user's token: what it makes is for this call
 * alone, and what is to be kept between calls belongs outside of it.
 * @param options `lacks`: what the API cannot do. What needs it is answered without the API: unread counts are counted in the history,
 * a chat is looked for in the list, and marking as read is NOT_SUPPORTED.
 */
export function defineAdapter(create: CreateAdapterApi, options: { readonly lacks?: readonly Lack[] } = {}): Adapter {
  return { kind: "chat-api-adapter", create, lacks: options.lacks ?? [] };
}

export function isAdapter(value: unknown): value is Adapter {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "chat-api-adapter";
}

export { HELPERS as helpers };
export type { AdapterHttp, Helpers };
