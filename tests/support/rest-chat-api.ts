/** A ChatApi over HTTP with waits that suit tests, what it logs, and bodies that fit the contract. */
import { inspect } from "node:util";
import { GatewayError } from "../../src/errors.ts";
import { createLog, type Log } from "../../src/log.ts";
import type { ChatApi } from "../../src/upstream/chat-api.ts";
import type { Adapter } from "../../src/upstream/adapter/adapter.ts";
import { createAdaptedChatApi, createRestChatApi, type RestChatApiOptions } from "../../src/upstream/rest-chat-api.ts";
import { silentLog } from "./silent-log.ts";

export const TOKEN = "token-of-anna";

export const CHAT = {
  id: "c1",
  participants: ["u1", "u2"],
  participantNames: ["Anna", "Ben"],
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
};

export const MESSAGE = {
  id: "m1",
  chatId: "c1",
  senderId: "u1",
  senderName: "Anna",
  content: "hello",
  createdAt: "2026-01-01T00:00:00.000Z",
};

export const PROFILE = { userId: "u1", email: "anna@example.com", name: "Anna", role: "user" };

export type DisposableChatApi = ChatApi & AsyncDisposable;

/** Three attempts with hardly a wait between them, and all the time in the world for each. */
function patient(baseUrl: string, options: Partial<RestChatApiOptions> = {}): RestChatApiOptions {
  return {
    baseUrl,
    timeoutMs: 30_000,
    maxAnswerBytes: 5_000_000,
    attempts: 3,
    idempotentPosts: false,
    log: silentLog(),
    backoffMs: 1,
    ...options,
  };
}

export function restChatApi(baseUrl: string, options?: Partial<RestChatApiOptions>): ChatApi {
  return createRestChatApi(patient(baseUrl, options));
}

/** Makes the ChatApi of an adapter, whose file the log calls `adapter.ts`. */
export function adaptedChatApi(adapter: Adapter): typeof restChatApi {
  return (baseUrl, options) => createAdaptedChatApi(adapter, "adapter.ts", patient(baseUrl, options));
}

/** The client under test. */
export function chatApiAt(baseUrl: string, options: Partial<RestChatApiOptions> = {}): DisposableChatApi {
  const api = restChatApi(baseUrl, options);
  return Object.assign(api, { [Symbol.asyncDispose]: () => api.close() });
}

/** The error that a call ends with; fails the test where it does not end with one of the catalogue. */
export async function errorOf(call: Promise<unknown>): Promise<GatewayError> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome && outcome.error instanceof GatewayError) return outcome.error;
  throw new Error(`expected a GatewayError, got ${inspect(outcome)}`);
}

/** Everything that a log could show of an error, causes included. */
export function everythingIn(error: unknown): string {
  return inspect(error, { depth: 20, showHidden: true });
}

/** A log whose lines a test reads. `onLine` runs as each is written. */
export function recordingLog(onLine: () => void = () => undefined): { log: Log; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as Record<string, unknown>);
    onLine();
  };
  return { log: createLog({ LOG_LEVEL: "trace" }, { write }), lines };
}
