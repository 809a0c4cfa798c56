/** One request to the development API, as its endpoints see it. */
import type { StoredChat } from "./data.ts";
import type { Reply } from "./faults.ts";
import type { ReceivedRequest } from "./requests.ts";
import type { Profile } from "./rows.ts";
import type { Store } from "./store.ts";

/** `nextToken`: an opaque token; `lastEvaluatedKey`: the key of the page's last message. */
export type PagingDialect = "nextToken" | "lastEvaluatedKey";

/** In what the contract leaves a deployment free. May be changed while the API runs. */
export interface Settings {
  paging: PagingDialect;
  /** Whether every page has 50 messages, whatever `limit` asks for. */
  ignoreLimit: boolean;
}

/** One request whose sender is known. */
export interface Call {
  readonly store: Store;
  readonly settings: Settings;
  readonly viewer: Profile;
  readonly query: URLSearchParams;
  readonly request: ReceivedRequest;
}

/** Ends a request with an error of the contract. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly handle: (call: Call, chatId: string, messageId: string) => Reply;
}

/** The chat, if the viewer takes part in it. */
export function openChat({ store, viewer }: Call, chatId: string): StoredChat {
  const chat = store.chats.find(chatId);
  if (chat === undefined) throw new Refusal(404, "Chat not found");
  if (!chat.participants.includes(viewer.userId)) throw new Refusal(403, "You are not a participant of this chat");
  return chat;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "The body is not JSON");
  }
}
