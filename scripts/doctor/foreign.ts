/** What an API of another shape has in the place of what the contract asks for, and how an adapter says so. */
import { HELPERS } from "../../src/upstream/adapter/helpers.ts";
import type { Problem } from "./report.ts";

export type Kind = "profile" | "chat" | "message";

type Helper = "id" | "instant" | "members" | "sender" | "readState";

/** Where a field of the contract is. */
export interface Source {
  readonly name: string;
  /** What makes the contract's value of it; undefined where it is one already. */
  readonly helper: Helper | undefined;
}

export interface Located {
  /** To the record, or to the list of them; empty for the body itself. */
  readonly path: readonly string[];
  readonly records: readonly object[];
}

/** The names that fields go by, the contract's own first. */
const NAMES: Readonly<Record<Kind, Readonly<Record<string, readonly string[]>>>> = {
  profile: {
    userId: ["userId", "user_id", "id", "_id", "uid"],
    email: ["email", "mail", "emailAddress"],
    name: ["name", "fullName", "full_name", "displayName", "display_name", "username"],
    role: ["role"],
  },
  chat: {
    id: ["id", "_id", "chatId", "chat_id", "roomId", "room_id", "conversationId", "conversation_id", "uuid"],
    participants: ["participants", "members", "users", "participantIds", "memberIds", "member_ids", "participant_ids"],
    storeName: ["storeName", "title", "chatName", "chat_name", "name", "subject", "topic"],
    unreadCount: ["unreadCount", "unread_count", "unread", "unreadMessages"],
    createdAt: ["createdAt", "created_at", "created", "creationDate"],
    updatedAt: ["updatedAt", "updated_at", "updated", "lastActivity", "last_activity"],
  },
  message: {
    id: ["id", "_id", "messageId", "message_id", "uuid"],
    chatId: [
      "chatId",
      "chat_id",
      "chat",
      "roomId",
      "room_id",
      "room",
      "conversationId",
      "conversation_id",
      "conversation",
    ],
    senderId: [
      "senderId",
      "sender_id",
      "sender",
      "author",
      "authorId",
      "author_id",
      "userId",
      "user_id",
      "user",
      "from",
    ],
    senderName: ["senderName", "sender_name", "authorName", "author_name"],
    content: ["content", "text", "body", "message"],
    createdAt: ["createdAt", "created_at", "created", "sentAt", "sent_at", "sent", "timestamp", "date"],
    readAt: ["readAt", "read_at", "readBy", "read_by", "seen", "seenBy", "seen_by"],
  },
};

/** What the list, or the record, is called in the contract's answer. */
const CONTAINERS: Readonly<Record<Kind, readonly string[]>> = {
  profile: ["user"],
  chat: ["chats", "chat"],
  message: ["messages", "message"],
};

const MAX_DEPTH = 3;

/** The records of an answer, wherever they are: those with most of the fields that they should have. */
export function locate(kind: Kind, body: unknown): Located | undefined {
  const candidates = candidatesIn(body, []).map((located) => ({ located, score: scoreOf(kind, located) }));
  const [best] = candidates.filter(({ score }) => score > 0).toSorted((a, b) => b.score - a.score);
  return best?.located;
}

function candidatesIn(value: unknown, path: readonly string[]): readonly Located[] {
  if (Array.isArray(value)) {
    const records = value.filter((item) => isRecord(item));
    return value.length > 0 && records.length === 0 ? [] : [{ path, records }];
  }
  if (!isRecord(value) || path.length > MAX_DEPTH) return [];
  const inner = Object.entries(value).flatMap(([name, field]) => candidatesIn(field, [...path, name]));
  return [{ path, records: [value] }, ...inner];
}

function scoreOf(kind: Kind, { path, records: [record] }: Located): number {
  const isNamed = CONTAINERS[kind].includes(path.at(-1) ?? "");
  if (!record) return isNamed ? 1 : 0;
  const fields = translate(kind, record);
  // A part of a record, such as its sender, has an id and a name as well.
  return fields.size < 2 ? 0 : fields.size + (isNamed ? 0.5 : 0) - path.length / 10;
}

/** Where a record has the fields of the contract; those that it has not are not among them. */
export function translate(kind: Kind, record: object): ReadonlyMap<string, Source> {
  return new Map(
    Object.entries(NAMES[kind]).flatMap(([field, names]) => {
      const name = names.find((candidate) => valueOf(record, candidate) !== undefined);
      return name === undefined ? [] : [[field, { name, helper: helperFor(field, name, valueOf(record, name)) }]];
    }),
  );
}

const IDS = new Set(["id", "chatId", "userId", "senderId"]);
const INSTANT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i;

function helperFor(field: string, name: string, value: unknown): Helper | undefined {
  if (field === "participants") return isListOf(value, "string") ? undefined : "members";
  if (field === "senderId" && isRecord(value)) return "sender";
  if (field === "readAt" && (Array.isArray(value) || name !== "readAt"))
    return Array.isArray(value) ? "readState" : undefined;
  if (field.endsWith("At")) return typeof value === "string" && INSTANT.test(value) ? undefined : instantHelper(value);
  return IDS.has(field) && (typeof value === "number" || isRecord(value)) ? "id" : undefined;
}

function instantHelper(value: unknown): Helper | undefined {
  return Number.isNaN(Date.parse(HELPERS.instant(value))) ? undefined : "instant";
}

/** A line of an adapter, for a field that is in `sources`: a property of the object that it answers with. */
export function lineOf(kind: Kind, field: string, sources: ReadonlyMap<string, Source>): string {
  const { name = field, helper } = sources.get(field) ?? {};
  const value = `${kind}.${name}`;
  switch (helper) {
    case "members":
      return `...helpers.members(${value})`;
    case "sender":
      return `...helpers.sender(${value})`;
    case "readState":
      return `...helpers.readState(${value}, helpers.id(${kind}.${sources.get("senderId")?.name ?? "senderId"}))`;
    case undefined:
      return `${field}: ${value}`;
    default:
      return `${field}: helpers.${helper}(${value})`;
  }
}

/** What is found in the place of a field, for who reads of the problem with it; undefined where nothing is, or where it is right. */
export function adviceFor(kind: Kind, field: string, body: unknown): string | undefined {
  const [record] = locate(kind, body)?.records ?? [];
  if (!record) return undefined;
  const sources = translate(kind, record);
  const source = sources.get(field);
  if (!source || (source.name === field && source.helper === undefined)) return undefined;
  const found = source.name === field ? "" : `There is \`${source.name}\` instead. `;
  return `${found}An adapter says \`${lineOf(kind, field, sources)}\`.`;
}

/** That the records are somewhere else than under the name that the contract has for them. */
export function misplaced(kind: Kind, container: string, body: unknown): Problem | undefined {
  const located = locate(kind, body);
  if (!located || located.path.join(".") === container) return undefined;
  const where = located.path.length === 0 ? "the body itself" : `\`${located.path.join(".")}\``;
  const names = located.path.at(-1);
  const line = names === undefined ? "the body is it" : `\`helpers.unwrap(body, ${JSON.stringify(names)})\``;
  return {
    what: `${container} is not there: what is in ${where} looks like it`,
    advice: `An adapter finds it: ${line}.`,
  };
}

function valueOf(record: object, name: string): unknown {
  return Object.hasOwn(record, name) ? (Reflect.get(record, name) ?? undefined) : undefined;
}

function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, type: string): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === type);
}
