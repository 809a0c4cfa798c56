/** The shapes of the contract: those that the gateway reads, and stricter where it would read something else than was meant. */
import { z } from "zod";
import { id, instant, pageKey, readInstant, type WireMessage } from "../../src/upstream/wire.ts";
import { adviceFor, locate, misplaced, type Kind } from "./foreign.ts";
import type { Problem } from "./report.ts";

const INSTANT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i;

/** Without its zone an instant is another one wherever the gateway runs. */
const zoned = z.string().regex(INSTANT, "expected an ISO 8601 instant with its time zone").pipe(instant);

/** As the gateway reads it: an instant that stands for never is none. */
const readAt = zoned.nullish().transform((value) => (readInstant.safeParse(value).success ? value : undefined));

const chat = z.object({
  id,
  participants: z.array(id),
  participantNames: z.array(z.string()),
  storeName: z.string().nullish(),
  lastMessage: z.unknown().optional(),
  unreadCount: z.number().int().nonnegative().nullish(),
  createdAt: zoned,
  updatedAt: zoned,
});

const message = z.object({
  id,
  chatId: id,
  senderId: id,
  senderName: z.string(),
  content: z.string(),
  createdAt: zoned,
  readAt,
});

/** What an answer has records of, and under which name. */
export interface Records {
  readonly kind: Kind;
  readonly container: string;
  readonly record: z.ZodType;
}

const user = z.object({ userId: id, email: z.string(), name: z.string(), role: z.string().nullish() });
const listedChat = chat.extend({ unreadCount: z.number().int().nonnegative() });

export const profileAnswer = {
  shape: z.object({ user }),
  of: { kind: "profile", container: "user", record: user },
} as const;

/** The gateway can do without the count in every answer but this one. */
export const chatsAnswer = {
  shape: z.object({ chats: z.array(listedChat) }),
  of: { kind: "chat", container: "chats", record: listedChat },
} as const;

/** Of an API that is said not to count. */
export const uncountedChatsAnswer = {
  shape: z.object({ chats: z.array(chat) }),
  of: { kind: "chat", container: "chats", record: chat },
} as const;

export const chatAnswer = {
  shape: z.object({ chat }),
  of: { kind: "chat", container: "chat", record: chat },
} as const;

export const page = {
  shape: z.object({
    messages: z.array(message),
    nextToken: z.string().nullish(),
    lastEvaluatedKey: pageKey,
  }),
  of: { kind: "message", container: "messages", record: message },
} as const;

export const messageAnswer = {
  shape: z.object({ message }),
  of: { kind: "message", container: "message", record: message },
} as const;

export const readAnswer = { shape: z.object({ readAt: zoned.nullish() }).nullish(), mayBeWords: true };

/** Those of a page's messages that can be read. */
export function readableMessages(json: unknown): readonly WireMessage[] {
  return (listOf(json, "messages") ?? []).flatMap((value) => message.safeParse(value).data ?? []);
}

/** Those of the chats that can be read. */
export function readableChats(json: unknown): readonly z.output<typeof chat>[] {
  return (listOf(json, "chats") ?? []).flatMap((value) => chat.safeParse(value).data ?? []);
}

function listOf(json: unknown, name: string): readonly unknown[] | undefined {
  const list = valueAt(json, [name]);
  return Array.isArray(list) ? list : undefined;
}

/** What a field is for, by its name. */
const ADVICE: Readonly<Record<string, string>> = {
  user: 'Answer { "user": { … } }: the gateway looks for the profile there.',
  userId: "Send the user's id as a text: the gateway finds the viewer among the participants of a chat by it.",
  email: "Send the user's address as a text: it is what `me { email }` answers.",
  name: "Send the user's name as a text: typing, presence and receipts show it to the others.",
  role: "Send the role as a text, null or not at all: it is what `me { role }` answers.",
  chats: 'Answer { "chats": [ … ] }: without the list nobody can connect.',
  chat: 'Answer { "chat": { … } }: the gateway looks for the chat there.',
  id: "Send an id as a text that is not empty: everything is found again by it.",
  participants: "Send the ids of everybody in the chat: they decide who gets its events.",
  participantNames:
    "Send a name for each of `participants`, in the same order: they are the names that the others see.",
  storeName: "Send the chat's title as a text, null or not at all.",
  unreadCount:
    "Send, in the list of chats, how many messages the viewer has not read: without it the gateway counts in the whole history of each.",
  createdAt:
    "Send an instant like 2026-01-31T09:30:00.000Z: it is shown, and messages are put in order and found again by it.",
  updatedAt: "Send an instant like 2026-01-31T09:30:00.000Z: chats are put in order by it.",
  messages: 'Answer { "messages": [ … ] }: without the list there is no history.',
  message: 'Answer { "message": { … } } with what was stored: it is what the members of the chat are sent.',
  chatId: "Send the id of the message's chat: it decides where the message is delivered.",
  senderId: "Send the id of who wrote the message: clients tell their own messages by it.",
  senderName: "Send the name of who wrote the message: it is what the others see.",
  content: "Send the message's text, which may be empty but not absent.",
  readAt: "Send an instant like 2026-01-31T09:30:00.000Z, null or nothing: it is when the message was read.",
  nextToken: "Send a text, or, on the last page, an empty one, null or nothing: the next page is asked for with it.",
  lastEvaluatedKey:
    'Send { "id": "…" }, or, on the last page, an empty object, null or nothing: the next page is asked for with that id.',
};

const OTHERWISE = "Answer what the contract says: anything else is UPSTREAM_UNAVAILABLE to the gateway's clients.";

/**
 * What is wrong with the shape of an answer, a problem for each field: `chats[].id is missing (3 times)`. What is found in the place of
 * something, and how an adapter says so, goes into the advice.
 */
export function shapeProblems(shape: z.ZodType, json: unknown, of?: Records): readonly Problem[] {
  const { error } = shape.safeParse(json);
  if (error === undefined) return [];
  const elsewhere = of && misplaced(of.kind, of.container, json);
  if (!elsewhere) return problemsOf(error, json, of);
  const { path = [], records = [] } = locate(of.kind, json) ?? {};
  const inner = z.array(of.record).safeParse(records).error;
  const name = [...path, ""].join(".").slice(0, -1) || "the body";
  const found = inner ? problemsOf(inner, records, of, json) : [];
  return [elsewhere, ...found.map((problem) => ({ ...problem, what: `${name}${problem.what}` }))];
}

function problemsOf(error: z.ZodError, json: unknown, of?: Records, body = json): readonly Problem[] {
  const groups = Map.groupBy(error.issues, (issue) => sentenceOf(issue, json));
  return [...groups].map(([sentence, [first, ...others]]) => ({
    what: others.length === 0 ? sentence : `${sentence} (${others.length + 1} times)`,
    advice: adviceOf(first?.path ?? [], of, body),
  }));
}

function sentenceOf({ path, message: text }: z.core.$ZodIssue, json: unknown): string {
  const field = path.map((key) => (typeof key === "number" ? "[]" : `.${String(key)}`)).join("");
  const name = field.replace(/^\./, "") || "the body";
  if (valueAt(json, path) === undefined) return path.length === 0 ? "the body is empty" : `${name} is missing`;
  const expectation = text.replace(/^Invalid input: /, "");
  return `${name}: ${expectation.charAt(0).toLowerCase()}${expectation.slice(1)}`;
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    json,
  );
}

/** At most so many fields are named. */
const MAX_FIELDS = 5;

/** What an object has in the place of what was looked for. */
function presentIn(value: unknown): string | undefined {
  const fields = typeof value === "object" && value !== null ? Object.keys(value) : [];
  if (fields.length === 0) return undefined;
  const named = fields.slice(0, MAX_FIELDS).map((name) => `\`${name}\``);
  return `There is ${named.join(", ")}${fields.length > MAX_FIELDS ? " and more" : ""} instead.`;
}

function adviceOf(path: readonly PropertyKey[], of: Records | undefined, body: unknown): string {
  const field = path.findLast((key) => typeof key === "string");
  // An object in the place of a page's key has its own id.
  const name = path.includes("lastEvaluatedKey") ? "lastEvaluatedKey" : field;
  const found =
    of && path.length <= 1 && name === of.container
      ? presentIn(path.length === 0 ? body : (valueAt(body, path) ?? body))
      : of && name !== undefined
        ? adviceFor(of.kind, name, body)
        : undefined;
  return `${(name === undefined ? undefined : ADVICE[name]) ?? OTHERWISE}${found === undefined ? "" : ` ${found}`}`;
}
