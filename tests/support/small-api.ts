/** A REST API of the contract whose records a test writes itself, as broken as it likes. */
import type { RecordedRequest } from "./scripted-server.ts";
import { json, startScriptedServer, type Answer, type ScriptedServer } from "./scripted-server.ts";

export interface SmallApiData {
  /** Of every token. */
  profile?: unknown;
  chats?: unknown[];
  /** By chat; where absent `chats` is looked through. */
  records?: Record<string, unknown>;
  /** By chat. */
  messages?: Record<string, unknown>;
  /** Looked at before anything else. */
  answer?: (request: RecordedRequest) => Answer | undefined;
}

export interface SmallApi extends ScriptedServer {
  /** May be changed at any time. */
  readonly data: SmallApiData;
  /** How often a path has been asked for. */
  count(path: string): number;
}

export const AT = "2026-01-01T00:00:00.000Z";

export const PROFILE = { userId: "u1", email: "ann@example.com", name: "Ann" };

export function chatRecord(id: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const members = { participants: ["u1", "u2"], participantNames: ["Ann", "Ben"] };
  return { id, ...members, unreadCount: 0, createdAt: AT, updatedAt: AT, ...more };
}

export function messageRecord(
  id: string,
  chatId: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return { id, chatId, senderId: "u2", senderName: "Ben", content: `content of ${id}`, createdAt: AT, ...more };
}

/** For {@link SmallApiData.answer}: every token is the id of its user; whatever is marked as read is. */
export function byToken({ url, method, headers }: RecordedRequest): Answer | undefined {
  if (method === "PUT") return json(200, { message: "ok" });
  if (!url.startsWith("/auth/profile")) return undefined;
  return json(200, { user: { ...PROFILE, userId: headers.authorization?.replace("Bearer ", "") } });
}

export async function startSmallApi(data: SmallApiData): Promise<SmallApi> {
  const server: ScriptedServer = await startScriptedServer((response, request) => {
    const recorded = server.requests.at(-1);
    return ((recorded && data.answer?.(recorded)) ?? answerOf(data, request.url ?? ""))(response, request);
  });
  const count = (path: string): number => server.requests.filter(({ url }) => url.split("?", 1)[0] === path).length;
  return Object.assign(server, { data, count });
}

function answerOf(data: SmallApiData, url: string): Answer {
  const [, , chatId = "", rest] = (url.split("?", 1)[0] ?? "").split("/").map(decodeURIComponent);
  if (url.startsWith("/auth/profile")) return json(200, { user: data.profile ?? PROFILE });
  if (chatId === "") return json(200, { chats: data.chats ?? [] });
  if (rest === "messages") return json(200, data.messages?.[chatId] ?? { messages: [] });
  const { records = {} } = data;
  const record = Object.hasOwn(records, chatId)
    ? records[chatId]
    : (data.chats ?? []).find((chat) => (chat as { id?: unknown } | null)?.id === chatId);
  if (record === null) return json(403, { error: "not a participant" });
  return record === undefined ? json(404, { error: "no such chat" }) : json(200, { chat: record });
}
