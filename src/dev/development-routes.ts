/** What the development API can do beyond the contract, so that a frontend can be tried without a program: chats, members, tokens. */
import { z } from "zod";
import { openChat, parseJson, Refusal, type Call, type Route } from "./call.ts";
import type { Reply } from "./faults.ts";

/** How long a token is accepted that is asked for without a time, in seconds. */
const TOKEN_SECONDS = 60;
const MAX_TOKEN_SECONDS = 86_400;

const title = z.string().trim().min(1).max(200);
const newChat = z.object({ participants: z.array(z.string()).max(1000), storeName: title.optional() });
const renaming = z.object({ storeName: title.nullable() });
const membership = z.object({ userId: z.string() });
const newToken = z.object({ expiresInSeconds: z.number().positive().max(MAX_TOKEN_SECONDS).default(TOKEN_SECONDS) });

export const DEVELOPMENT_ROUTES: readonly Route[] = [
  { method: "POST", path: /^\/chats$/, handle: createChat },
  { method: "PATCH", path: /^\/chats\/([^/]+)$/, handle: renameChat },
  { method: "DELETE", path: /^\/chats\/([^/]+)$/, handle: deleteChat },
  { method: "POST", path: /^\/chats\/([^/]+)\/participants$/, handle: addMember },
  { method: "DELETE", path: /^\/chats\/([^/]+)\/participants\/([^/]+)$/, handle: removeMember },
  { method: "POST", path: /^\/auth\/tokens$/, handle: issueToken },
];

/** The viewer is in it, whoever else is. */
function createChat({ store, viewer, request }: Call): Reply {
  const { participants, storeName } = read(newChat, request.body, "Send { participants: [userId], storeName? }");
  const members = [...new Set([viewer.userId, ...participants])];
  for (const userId of members) requireUser(store, userId);
  const chat = store.chats.create({ participants: members, ...(storeName !== undefined && { storeName }) });
  return { status: 201, body: { chat } };
}

function renameChat(call: Call, chatId: string): Reply {
  openChat(call, chatId);
  const { storeName } = read(renaming, call.request.body, "Send { storeName }, a text or null");
  return { body: { chat: call.store.chats.rename(chatId, storeName ?? undefined) } };
}

function deleteChat(call: Call, chatId: string): Reply {
  openChat(call, chatId);
  call.store.chats.delete(chatId);
  return { body: { message: "Chat deleted" } };
}

function addMember(call: Call, chatId: string): Reply {
  openChat(call, chatId);
  const { userId } = read(membership, call.request.body, "Send { userId }");
  requireUser(call.store, userId);
  call.store.chats.addMember(chatId, userId);
  return { status: 201, body: { chat: call.store.chats.existing(chatId) } };
}

/** The viewer too may be removed: that is leaving. */
function removeMember(call: Call, chatId: string, userId: string): Reply {
  const { participants } = openChat(call, chatId);
  if (!participants.includes(userId)) throw new Refusal(404, "This user is not in the chat");
  call.store.chats.removeMember(chatId, userId);
  return { body: { message: "Participant removed" } };
}

/** Another token of the viewer, a JWT that names its expiry. */
function issueToken({ store, viewer, request }: Call): Reply {
  const body = request.body === "" ? "{}" : request.body;
  const { expiresInSeconds } = read(newToken, body, `Send { expiresInSeconds }, ${MAX_TOKEN_SECONDS} at most`);
  const expiresAt = new Date(Date.now() + expiresInSeconds * 1000);
  const token = store.users.issueToken(viewer.userId, { expiresAt });
  return { status: 201, body: { token, expiresAt: expiresAt.toISOString() } };
}

function read<T>(shape: z.ZodType<T>, body: string, hint: string): T {
  const { data, success } = shape.safeParse(parseJson(body));
  if (!success) throw new Refusal(400, hint);
  return data;
}

function requireUser({ users }: Call["store"], userId: string): void {
  if (!users.has(userId)) throw new Refusal(400, `There is no user ${userId}`);
}
