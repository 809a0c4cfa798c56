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

/** Numbers below are seconds since the epoch, then milliseconds, then microseconds, and nanoseconds beyond: with so many digits of a second. */
const EPOCHS = [
  { below: 1e11, digits: 0 },
  { below: 1e14, digits: 3 },
  { below: 1e17, digits: 6 },
  { below: Infinity, digits: 9 },
] as const;

/**
 * An instant as ISO 8601: of seconds, milliseconds, microseconds or nanoseconds since the epoch, as a number or a text, of a text with or
 * without a zone, a `Date`, `{ $date }`, or `{ seconds, nanos }`. Digits beyond milliseconds are kept.
 *
 * @param zone of texts that name none, like `+02:00`; UTC where absent.
 */
function instant(value: unknown, zone = "Z"): string {
  if (value instanceof Date) return isoOf(value.getTime());
  if (typeof value === "number" || typeof value === "bigint") return ofEpoch(String(value));
  if (typeof value === "string") {
    const text = value.trim();
    return /^-?\d+(\.\d+)?$/.test(text) ? ofEpoch(text) : withZone(text, zone);
  }
  const seconds = firstOf(value, ["seconds", "_seconds"]);
  if (seconds !== undefined) {
    const nanos = firstOf(value, ["nanos", "nanoseconds", "_nanoseconds"]) ?? 0;
    return ofEpoch(`${id(seconds)}.${id(nanos).padStart(9, "0")}`);
  }
  const inner = firstOf(value, ["$date", "$numberLong", "iso"]);
  return inner === undefined ? "" : instant(inner, zone);
}

function ofEpoch(text: string): string {
  const [, sign = "", whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  const { digits } = EPOCHS.find(({ below }) => Number(whole) < below) ?? EPOCHS[0];
  // Before the epoch the digits of a second count backwards: those beyond milliseconds are not worth it.
  if (whole === "" || sign !== "") return isoOf((Number(text) / 10 ** digits) * 1000);
  const padded = whole.padStart(digits + 1, "0");
  const iso = isoOf(Number(padded.slice(0, padded.length - digits)) * 1000);
  const ofSecond = `${padded.slice(padded.length - digits)}${fraction}`.replace(/0+$/, "").padEnd(3, "0");
  return iso.replace(/\.000Z$/, `.${ofSecond}Z`);
}

/** Empty where it is no time. */
function isoOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

const TIME_WITH_ZONE = /\d:\d\d.*(?:Z|GMT|UTC|[+-]\d\d(?::?\d\d)?)$/i;

function withZone(text: string, zone: string): string {
  const iso = text
    .replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, "$1T")
    .replace(/^(\d{4}-.*\d) ?(?:UTC|GMT)$/i, "$1Z")
    .replace(/ (?=(Z|[+-]\d\d(:?\d\d)?)$)/i, "")
    // As Postgres writes them.
    .replace(/(T.*[+-]\d\d)$/i, "$1:00");
  if (/^\d{4}-\d\d-\d\d$/.test(iso)) return `${iso}T00:00:00${zone}`;
  return TIME_WITH_ZONE.test(iso) ? iso : `${iso}${zone}`;
}

const NAMES = ["name", "displayName", "display_name", "fullName", "full_name", "username", "userName", "user_name"];

/** What somebody is called, of an object that has it under one of the usual names; undefined where it has none. */
function nameOf(user: unknown): string | undefined {
  const [name] = textsOf(user, NAMES);
  if (name !== undefined) return name;
  const full = textsOf(user, ["firstName", "first_name", "lastName", "last_name"]).join(" ");
  return full === "" ? undefined : full;
}

/** Those of the fields that are texts with something in them. */
function textsOf(value: unknown, names: readonly string[]): readonly string[] {
  const fields = names.map((name) => fieldOf(value, name));
  return fields.filter((field): field is string => typeof field === "string" && field.trim() !== "");
}

/**
 * The members of a chat: of objects with an id and a name, perhaps in a `user` each, or of ids. One that is null, or whose `user` is null, was a
 * user who is no more, and is left out.
 */
function members(list: unknown): { participants: string[]; participantNames: (string | undefined)[] } {
  const found = (Array.isArray(list) ? list : []).flatMap((member: unknown) => {
    const user = fieldOf(member, "user");
    // What joins a user to a chat has an id of its own, which is nobody's.
    const userId = id(user) || id(firstOf(member, ["userId", "user_id"])) || (user === undefined ? id(member) : "");
    const isNobody = userId === "" && (member === null || user === null);
    return isNobody ? [] : [{ userId, name: nameOf(user) ?? nameOf(member) }];
  });
  return { participants: found.map(({ userId }) => userId), participantNames: found.map(({ name }) => name) };
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
    const user = firstOf(entry, ["user", "userId", "user_id", "reader"]);
    const userId = id(fieldOf(entry, "user") === null ? user : (user ?? entry));
    const readAt = instant(firstOf(entry, ["readAt", "read_at", "at", "timestamp", "date"]) ?? at);
    return userId === "" || userId === senderId || readAt === "" ? [] : [{ userId, readAt }];
  });
  const readBy = entries.toSorted((a, b) => Date.parse(a.readAt) - Date.parse(b.readAt));
  return { readBy, readAt: readBy[0]?.readAt };
}

/**
 * Paging by `offset` and `limit`. A page that is shorter than the first is the last: the API may answer fewer than `limit`, as many as it
 * ever answers at once.
 */
async function byOffset(
  { limit, next = "0" }: PageRequest,
  load: (page: { offset: number; limit: number }) => Promise<readonly ApiMessage[]>,
): Promise<ApiPage> {
  const [offset = 0, size = 1] = next.split("/").map(Number);
  const messages = await load({ offset, limit });
  const { length } = messages;
  return { messages, next: length < size ? undefined : `${offset + length}/${offset === 0 ? length : size}` };
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
