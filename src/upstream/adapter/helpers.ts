/** What real APIs differ in, for adapters. None of these throws for a value that it does not understand: the result says so when it is checked. */
import { GatewayError } from "../../errors.ts";
import type { ApiMessage, ApiPage, PageRequest } from "./shapes.ts";

/** What an adapter may refuse a call with. */
type Refusal = "UNAUTHENTICATED" | "NOT_PARTICIPANT" | "NOT_FOUND" | "BAD_USER_INPUT" | "NOT_SUPPORTED";

const ENVELOPES = ["data", "payload", "result", "response"];

/**
 * What is in the envelopes `{ data }`, `{ payload }`, `{ result }` and `{ response }`, one in another too; then, for each name, what is
 * under it, where it is there. `unwrap(body, "items")` of `{ data: { items: [] } }` and of `{ items: [] }` is `[]`.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the adapter says what it expects
function unwrap<T>(body: unknown, ...names: readonly string[]): T {
  let value = body;
  for (const name of names) value = fieldOf(value, name) ?? fieldOf(opened(value), name) ?? value;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the adapter makes of it is checked
  return (names.length === 0 ? opened(value) : value) as T;
}

function opened(body: unknown): unknown {
  const name = ENVELOPES.find((envelope) => fieldOf(body, envelope) !== undefined);
  return name === undefined ? body : opened(fieldOf(body, name));
}

/** An id as text: of a number, a text, or an object that has it as `id`, `_id`, `userId` or `$oid`. Empty where there is none. */
function id(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  const inner = firstOf(value, ["id", "_id", "userId", "user_id", "$oid"]);
  return inner === undefined ? "" : id(inner);
}

/** Numbers below are seconds since the epoch, below the second milliseconds, and microseconds beyond. */
const [SECONDS_BELOW, MILLISECONDS_BELOW] = [1e11, 1e14];

/**
 * An instant as ISO 8601: of seconds, milliseconds or microseconds since the epoch, as a number or a text, of a text with or without a
 * zone, a `Date`, or `{ $date }`. Digits beyond milliseconds are kept.
 *
 * @param zone of texts that name none, like `+02:00`; UTC where absent.
 */
function instant(value: unknown, zone = "Z"): string {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "number") return ofEpoch(value);
  if (typeof value === "string") {
    const text = value.trim();
    return /^\d+(\.\d+)?$/.test(text) ? ofEpoch(Number(text)) : withZone(text, zone);
  }
  const inner = firstOf(value, ["$date", "iso", "seconds", "_seconds"]);
  return inner === undefined ? "" : instant(inner, zone);
}

function ofEpoch(value: number): string {
  const ms = value < SECONDS_BELOW ? value * 1000 : value < MILLISECONDS_BELOW ? value : value / 1000;
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

function withZone(text: string, zone: string): string {
  const iso = text.replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, "$1T").replace(/ (?=(Z|[+-]\d\d:?\d\d)$)/i, "");
  if (/^\d{4}-\d\d-\d\d$/.test(iso)) return `${iso}T00:00:00${zone}`;
  return /T.*(Z|[+-]\d\d(:?\d\d)?)$/i.test(iso) ? iso : `${iso}${zone}`;
}

const NAMES = ["name", "displayName", "display_name", "fullName", "full_name", "username", "userName", "user_name"];

/** What somebody is called, of an object that has it under one of the usual names; undefined where it has none. */
function nameOf(user: unknown): string | undefined {
  const name = firstOf(user, NAMES);
  if (typeof name === "string") return name;
  const parts = ["firstName", "first_name", "lastName", "last_name"].map((part) => fieldOf(user, part));
  const full = parts.filter((part) => typeof part === "string").join(" ");
  return full === "" ? undefined : full;
}

/** The members of a chat: of objects with an id and a name, perhaps in a `user` each, or of ids. */
function members(list: unknown): { participants: string[]; participantNames: (string | undefined)[] } {
  const users = (Array.isArray(list) ? list : []).map((member: unknown) => fieldOf(member, "user") ?? member);
  return { participants: users.map(id), participantNames: users.map(nameOf) };
}

/** Who wrote a message: of an object with an id and a name, or of an id. */
function sender(user: unknown): { senderId: string; senderName: string | undefined } {
  return { senderId: id(user), senderName: nameOf(user) };
}

/**
 * Who has read a message and when: of a list of `{ user, readAt }` under whatever usual names, or of ids, which have read it at `at`
 * then. The sender's own entry does not count.
 */
function readState(list: unknown, senderId: string, at?: unknown): Pick<ApiMessage, "readAt" | "readBy"> {
  const entries = (Array.isArray(list) ? list : []).flatMap((entry: unknown) => {
    const userId = id(firstOf(entry, ["user", "userId", "user_id", "reader"]) ?? entry);
    const readAt = instant(firstOf(entry, ["readAt", "read_at", "at", "timestamp", "date"]) ?? at);
    return userId === "" || userId === senderId || readAt === "" ? [] : [{ userId, readAt }];
  });
  const readBy = entries.toSorted((a, b) => Date.parse(a.readAt) - Date.parse(b.readAt));
  return { readBy, readAt: readBy[0]?.readAt };
}

/** Paging by `offset` and `limit`. A page that is not full is the last. */
async function byOffset(
  { limit, next }: PageRequest,
  load: (page: { offset: number; limit: number }) => Promise<readonly ApiMessage[]>,
): Promise<ApiPage> {
  const offset = Number(next ?? 0);
  const messages = await load({ offset, limit });
  return { messages, next: messages.length < limit ? undefined : String(offset + messages.length) };
}

/** Paging by the number of the page, `first` and up, of `size` messages each. A page that is not full is the last. */
async function byPageNumber(
  { next }: PageRequest,
  { first = 1, size }: { first?: number; size: number },
  load: (page: { page: number; size: number }) => Promise<readonly ApiMessage[]>,
): Promise<ApiPage> {
  const page = Number(next ?? first);
  const messages = await load({ page, size });
  return { messages, next: messages.length < size ? undefined : String(page + 1) };
}

/** Paging back in time, each page before the oldest message of the last. A page that is not full, of `size`, is the last. */
async function byOldestId(
  { next }: PageRequest,
  { size }: { size: number },
  load: (page: { before: string | undefined; size: number }) => Promise<readonly ApiMessage[]>,
): Promise<ApiPage> {
  const messages = await load({ before: next, size });
  const oldest = messages.toSorted((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
  const isLast = messages.length < size;
  // Of equal instants the one at the page's end that is older in time.
  const end = messages.at(-1)?.createdAt === oldest[0]?.createdAt ? messages.at(-1) : oldest[0];
  return { messages, next: isLast ? undefined : end?.id };
}

/** The message that has just been sent, for an API whose POST does not answer it: the newest of that content and sender. */
function justSent(messages: readonly ApiMessage[], sent: { content: string; senderId: string }): ApiMessage {
  const mine = messages.filter(
    ({ content, senderId }) => senderId === sent.senderId && content.trim() === sent.content.trim(),
  );
  const newest = mine.reduce<ApiMessage | undefined>(
    (found, message) => (found && Date.parse(found.createdAt) > Date.parse(message.createdAt) ? found : message),
    undefined,
  );
  if (!newest) throw new GatewayError("UPSTREAM_UNAVAILABLE", { cause: new Error("what was sent cannot be read") });
  return newest;
}

/** `map` of each item, a few at once: for an API that has to be asked about each. */
async function mapAll<T, U>(items: readonly T[], map: (item: T) => Promise<U>, atOnce = 8): Promise<U[]> {
  const results: U[] = [];
  const entries = items.entries();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const [index, item] of entries) results[index] = await map(item);
    }),
  );
  return results;
}

/** An error for the client, of the catalogue. */
function refusal(code: Refusal, message?: string): Error {
  return new GatewayError(code, message === undefined ? {} : { message });
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function firstOf(value: unknown, names: readonly string[]): unknown {
  const name = names.find((candidate) => (fieldOf(value, candidate) ?? null) !== null);
  return name === undefined ? undefined : fieldOf(value, name);
}

export const HELPERS = {
  unwrap,
  id,
  instant,
  nameOf,
  members,
  sender,
  readState,
  byOffset,
  byPageNumber,
  byOldestId,
  justSent,
  mapAll,
  refusal,
} as const;

export type Helpers = typeof HELPERS;
