/** The requests of the REST API: their paths, their answers' shapes, and what their statuses mean. */
import { z } from "zod";
import type { ErrorCode } from "../errors.ts";
import type { HttpRequest } from "./http.ts";
import {
  wireChatAnswer,
  wireChatRecords,
  wireMessageAnswer,
  wirePageOfRecords,
  wireProfile,
  wireReadAnswer,
  type WirePageOfRecords,
} from "./wire.ts";

/** One request of the contract. */
export interface Route<T> {
  readonly method: HttpRequest["method"];
  /** Below the base URL, `:name` where an id goes. */
  readonly template: string;
  readonly answer: z.ZodType<T>;
  /** What statuses mean; one that is not here is UPSTREAM_UNAVAILABLE. */
  readonly refusals: Readonly<Partial<Record<number, ErrorCode>>>;
  /** The argument that a 400 is about; undefined where the request has none. */
  readonly argument?: string;
  /** Whether it asks whose the token is. */
  readonly isAuthentication?: boolean;
}

const OF_A_CHAT = { 400: "BAD_USER_INPUT", 401: "UNAUTHENTICATED", 403: "NOT_PARTICIPANT", 404: "NOT_FOUND" } as const;

/** There is no list that could be missing: a 404 tells of a wrong base URL. */
const OF_A_USER = { 400: "BAD_USER_INPUT", 401: "UNAUTHENTICATED", 403: "NOT_PARTICIPANT" } as const;

/**
 * Statuses that are final for a token, however often it is asked about: it is malformed (400 and 422 of many JWT libraries), refused, too
 * long, or of no account or a locked one.
 */
const OF_A_TOKEN = Object.fromEntries(
  [400, 401, 402, 403, 404, 410, 422, 423, 431, 451].map((status) => [status, "UNAUTHENTICATED" as const]),
);

export const PROFILE: Route<z.output<typeof wireProfile>> = {
  method: "GET",
  template: "/auth/profile",
  answer: wireProfile,
  refusals: OF_A_TOKEN,
  isAuthentication: true,
};

export const CHATS: Route<z.output<typeof wireChatRecords>> = {
  method: "GET",
  template: "/chats",
  answer: wireChatRecords,
  refusals: OF_A_USER,
};

export const CHAT: Route<z.output<typeof wireChatAnswer>> = {
  method: "GET",
  template: "/chats/:chatId",
  answer: wireChatAnswer,
  refusals: OF_A_CHAT,
  argument: "chatId",
};

export const MESSAGES: Route<WirePageOfRecords> = {
  method: "GET",
  template: "/chats/:chatId/messages",
  answer: wirePageOfRecords,
  refusals: OF_A_CHAT,
  argument: "chatId",
};

export const SEND: Route<z.output<typeof wireMessageAnswer>> = {
  method: "POST",
  template: "/chats/:chatId/messages",
  answer: wireMessageAnswer,
  refusals: OF_A_CHAT,
  argument: "content",
};

export const MARK_READ: Route<z.output<typeof wireReadAnswer>> = {
  method: "PUT",
  template: "/chats/:chatId/messages/:messageId/read",
  answer: wireReadAnswer,
  refusals: OF_A_CHAT,
  argument: "messageId",
};

export const MARK_CHAT_READ: Route<unknown> = {
  method: "PUT",
  template: "/chats/:chatId/read-all",
  answer: z.unknown(),
  refusals: OF_A_CHAT,
  argument: "chatId",
};
