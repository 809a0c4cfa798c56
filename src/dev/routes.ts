/** The endpoints of the REST API's contract, one row each. */
import { z } from "zod";
import { openChat, parseJson, Refusal, type Call, type PagingDialect, type Route, type Settings } from "./call.ts";
import { DEVELOPMENT_ROUTES } from "./development-routes.ts";
import type { Reply } from "./faults.ts";
import type { ReceivedRequest } from "./requests.ts";
import type { Profile } from "./rows.ts";
import type { Store } from "./store.ts";

const ROUTES: readonly Route[] = [
  { method: "GET", path: /^\/auth\/profile$/, handle: ({ viewer }) => ({ body: { user: viewer } }) },
  {
    method: "GET",
    path: /^\/chats$/,
    handle: ({ store, viewer }) => ({ body: { chats: store.chats.ofUser(viewer.userId) } }),
  },
  { method: "GET", path: /^\/chats\/([^/]+)$/, handle: (call, chatId) => ({ body: { chat: openChat(call, chatId) } }) },
  { method: "GET", path: /^\/chats\/([^/]+)\/messages$/, handle: listMessages },
  { method: "POST", path: /^\/chats\/([^/]+)\/messages$/, handle: sendMessage },
  { method: "PUT", path: /^\/chats\/([^/]+)\/messages\/([^/]+)\/read$/, handle: markRead },
  { method: "PUT", path: /^\/chats\/([^/]+)\/read-all$/, handle: markChatRead },
  ...DEVELOPMENT_ROUTES,
];

const DEFAULT_LIMIT = 50;

/** Processes one request. Whatever is wrong with it is in the answer. */
export function route(store: Store, settings: Settings, request: ReceivedRequest): Reply {
  try {
    return dispatch(store, settings, request);
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: { error: error.message } };
    // Whoever develops against this API is helped by what went wrong in it.
    return { status: 500, body: { error: String(error) } };
  }
}

function dispatch(store: Store, settings: Settings, request: ReceivedRequest): Reply {
  const [path = "", ...query] = request.path.split("?");
  for (const { method, path: pattern, handle } of ROUTES) {
    const parameters = method === request.method ? pattern.exec(path) : null;
    if (parameters === null) continue;
    const viewer = authenticate(store, request);
    const call = { store, settings, viewer, query: new URLSearchParams(query.join("?")), request };
    return handle(call, decode(parameters[1]), decode(parameters[2]));
  }
  throw new Refusal(404, `There is no ${request.method} ${path}`);
}

function authenticate(store: Store, request: ReceivedRequest): Profile {
  const token = /^Bearer +(\S+)$/i.exec(request.authorization ?? "")?.[1];
  const profile = token === undefined ? undefined : store.users.profile(token);
  if (profile === undefined) throw new Refusal(401, "A valid bearer token is needed");
  return profile;
}

function decode(parameter = ""): string {
  try {
    return decodeURIComponent(parameter);
  } catch {
    throw new Refusal(400, "The path is not properly escaped");
  }
}

function listMessages(call: Call, chatId: string): Reply {
  openChat(call, chatId);
  const { store, settings, query } = call;
  const { messages, lastId } = store.messages.page(chatId, {
    limit: pageLimit(call),
    afterId: pageStart(settings.paging, query),
  });
  if (lastId === undefined) return { body: { messages } };
  return settings.paging === "nextToken"
    ? { body: { messages, nextToken: Buffer.from(lastId).toString("base64url") } }
    : { body: { messages, lastEvaluatedKey: { chatId, id: lastId } } };
}

function pageLimit({ settings, query }: Call): number {
  const limit = Number(query.get("limit"));
  return Number.isSafeInteger(limit) && limit > 0 && !settings.ignoreLimit ? limit : DEFAULT_LIMIT;
}

/** The id after which the page starts. Each dialect knows its own parameter alone. */
function pageStart(paging: PagingDialect, query: URLSearchParams): string | undefined {
  if (paging === "lastEvaluatedKey") return query.get("lastMessageId") ?? undefined;
  const token = query.get("nextToken");
  return token === null ? undefined : Buffer.from(token, "base64url").toString();
}

const newMessage = z.object({ content: z.string().trim().min(1) });

function sendMessage(call: Call, chatId: string): Reply {
  openChat(call, chatId);
  const parsed = newMessage.safeParse(parseJson(call.request.body));
  if (!parsed.success) throw new Refusal(400, "Message content is required");
  const message = { chatId, senderId: call.viewer.userId, content: parsed.data.content };
  const key = call.request.idempotencyKey;
  const stored = key === undefined ? call.store.messages.add(message) : call.store.messages.addOnce(message, key);
  return { status: 201, body: { message: stored } };
}

function markRead(call: Call, chatId: string, messageId: string): Reply {
  openChat(call, chatId);
  const { store, viewer } = call;
  const message = store.messages.find(chatId, messageId);
  if (message === undefined) throw new Refusal(404, "Message not found");
  if (message.senderId === viewer.userId) throw new Refusal(400, "You cannot mark your own message as read");
  return {
    body: { message: "Message marked as read", readAt: store.messages.markRead(chatId, messageId, viewer.userId) },
  };
}

/** The contract has no 404 here: nobody takes part in a chat that does not exist. */
function markChatRead({ store, viewer }: Call, chatId: string): Reply {
  if (store.chats.find(chatId)?.participants.includes(viewer.userId) !== true) {
    throw new Refusal(403, "You are not a participant of this chat");
  }
  store.messages.markChatRead(chatId, viewer.userId);
  return { body: { message: "All messages marked as read" } };
}
