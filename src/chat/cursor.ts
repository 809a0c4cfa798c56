/** A message's position in the stream, as clients hold it: opaque to them, signed, self-contained for any instance. */
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { firstAt, isPosition, parsePosition, positionAt, type Position } from "../bus/position.ts";
import { badInput, GatewayError } from "../errors.ts";
import type { Message, MessageName } from "./model.ts";

/**
 * How long a message may take from its creation to the log, and how far the clocks of the REST API and of the bus may be apart: what
 * was created so long before an instant may have been published after it.
 */
export const PUBLICATION_MARGIN_MS = 10_000;

/**
 * How far a cursor may be ahead of this machine's clock, in milliseconds: clocks differ, and some APIs write local times without saying so. A
 * message that is still to be created has no cursor.
 */
const MAX_AHEAD_MS = 24 * 3_600_000;

/** Ids that a cursor carries at most. Up to five leave it within 60 characters. */
export const MAX_SEEN = 50;

/**
 * The form of a cursor. Bytes: the form; the instant of creation; the hashes of the chat's id and of the message's; then the position in the
 * log, its instant relative to that of creation; or how long before its creation its reader may lack messages, and the names of those that it
 * has all the same; the signature of all of that.
 */
const IN_LOG = 2;
const IN_HISTORY = 4;
/** Of a former version: its names are ids of messages of its own chat and instant. */
const AT_INSTANT = 3;

/** A cursor of a former version, which did not sign. */
const unsignedCursor = z.tuple([
  z.literal("1"),
  z.iso.datetime(),
  z.string(),
  z.string(),
  z.union([z.string().refine(isPosition), z.array(z.string())]).optional(),
]);

const HASH_BYTES = 4;
const SIGNATURE_BYTES = 8;
/** One with {@link MAX_SEEN} ids has fewer characters; of former versions with long ids, more. */
const MAX_LENGTH = 10_000;

type Instant = Pick<Message, "createdAt">;

/** What a cursor holds. */
interface CursorParts {
  readonly createdAtMs: number;
  readonly chat: number;
  readonly id: number;
  readonly position?: Position;
  readonly sinceMs?: number;
  readonly seen?: readonly number[];
}

/** The position that a cursor holds. Messages of a chat are ordered by creation, equal instants as the REST API has them. */
export class CursorPosition {
  readonly createdAt: string;
  /** Where the log has the message, if the cursor comes from there: its owner has everything before it in the log. */
  readonly position: Position | undefined;
  /** An instant. Its owner has every message that was created before it. */
  readonly lacksSince: string;
  readonly #chat: number;
  readonly #id: number;
  /** Names of messages that its owner has and that were created since then. */
  readonly #seen: readonly number[];

  constructor({ createdAtMs, chat, id, position, sinceMs = createdAtMs, seen = [] }: CursorParts) {
    this.createdAt = new Date(createdAtMs).toISOString();
    this.lacksSince = new Date(sinceMs).toISOString();
    this.position = position;
    this.#chat = chat;
    this.#id = id;
    this.#seen = seen;
  }

  /** Whether it is of a chat's message. */
  isOfChat(chatId: string): boolean {
    return hashOf(chatId) === this.#chat;
  }

  /** Whether it is the message's. */
  isOf({ chatId, createdAt, id }: MessageName): boolean {
    // Two chats may have messages of one id.
    return createdAt === this.createdAt && hashOf(id) === this.#id && this.isOfChat(chatId);
  }

  /** Whether it names the message among those that its owner has. */
  hasSeen({ chatId, createdAt, id }: MessageName): boolean {
    if (this.#seen.length === 0 || createdAt < this.lacksSince) return false;
    return this.#seen.includes(nameOf(hashOf(chatId), hashOf(id)));
  }
}

/** Makes cursors, and reads them. */
export class Cursors {
  #key: Buffer;
  /** Those that this instance has signed with before. */
  readonly #formerKeys: Buffer[] = [];
  /** Each message of a page may name the same 50 others: their ids are hashed once. */
  readonly #names = new WeakMap<MessageName, number>();

  /** @param key what cursors are signed with. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Signs with another key from now on; cursors that were signed with the former ones are still read. */
  use(key: Buffer): void {
    if (key.equals(this.#key)) return;
    this.#formerKeys.push(this.#key);
    this.#key = key;
  }

  /**
   * A message that came over the bus has the log's order, one out of the history the order of creation; the two differ where somebody
   * else's message was created first and published last. The cursor says in which of them it is a place.
   */
  of({ chatId, createdAt, id, position, lacksSince = createdAt, seen = [] }: Message): string {
    const createdAtMs = Date.parse(createdAt);
    const bytes = [position === undefined ? IN_HISTORY : IN_LOG];
    pushNumber(bytes, zigzag(createdAtMs));
    pushHash(bytes, hashOf(chatId));
    pushHash(bytes, hashOf(id));
    if (position === undefined) {
      pushNumber(bytes, createdAtMs - Date.parse(lacksSince));
      for (const each of seen.slice(-MAX_SEEN)) pushHash(bytes, this.#nameOf(each));
    } else {
      const { ms, sequence } = parsePosition(position);
      pushNumber(bytes, zigzag(ms - createdAtMs));
      pushNumber(bytes, sequence);
    }
    const content = Buffer.from(bytes);
    return Buffer.concat([content, sign(content, this.#key)]).toString("base64url");
  }

  #nameOf(message: MessageName): number {
    let name = this.#names.get(message);
    if (name === undefined) {
      name = nameOf(hashOf(message.chatId), hashOf(message.id));
      this.#names.set(message, name);
    }
    return name;
  }

  /**
   * @param argument the argument that the cursor came in, for the error.
   * @throws GatewayError BAD_USER_INPUT where the text is no cursor. CURSOR_EXPIRED where it may have been one and cannot be relied on: its
   * signature is not this gateway's, or it is of a version that did not sign.
   */
  parse(cursor: string, argument: string): CursorPosition {
    const bytes = cursor.length > MAX_LENGTH ? Buffer.alloc(0) : Buffer.from(cursor, "base64url");
    const form = bytes[0];
    if (form !== IN_LOG && form !== IN_HISTORY && form !== AT_INSTANT) {
      if (isUnsigned(bytes)) throw new GatewayError("CURSOR_EXPIRED");
      throw badInput(argument, "This is not a cursor of this API.");
    }
    const end = bytes.length - SIGNATURE_BYTES;
    if (end < 0 || !this.#isSigned(bytes.subarray(0, end), bytes.subarray(end)))
      throw new GatewayError("CURSOR_EXPIRED");
    return read(new Reader(bytes.subarray(0, end)), form);
  }

  #isSigned(content: Buffer, signature: Buffer): boolean {
    return [this.#key, ...this.#formerKeys].some((key) => timingSafeEqual(sign(content, key), signature));
  }
}

function isUnsigned(bytes: Buffer): boolean {
  try {
    return unsignedCursor.safeParse(JSON.parse(bytes.toString())).success;
  } catch {
    return false;
  }
}

/** Of a cursor whose signature is right. */
function read(reader: Reader, form: number): CursorPosition {
  reader.byte();
  const createdAtMs = unzigzag(reader.number());
  const chat = reader.hash();
  const id = reader.hash();
  if (form === IN_LOG) {
    const position = positionAt(createdAtMs + unzigzag(reader.number()), reader.number());
    return new CursorPosition({ createdAtMs, chat, id, position });
  }
  const sinceMs = form === IN_HISTORY ? createdAtMs - reader.number() : createdAtMs;
  const seen: number[] = [];
  while (!reader.isAtEnd) seen.push(form === IN_HISTORY ? reader.hash() : nameOf(chat, reader.hash()));
  return new CursorPosition({ createdAtMs, chat, id, sinceMs, seen });
}

/**
 * Refuses a cursor that no message can have: it would be forged, to have everything read that there is.
 *
 * @throws GatewayError BAD_USER_INPUT where it is of a time that is still to come.
 */
export function requirePast({ createdAt, position }: CursorPosition, argument: string): void {
  const latestMs = Date.now() + MAX_AHEAD_MS;
  if (Date.parse(createdAt) <= latestMs && (position === undefined || position <= firstAt(latestMs))) return;
  throw badInput(argument, "This cursor is of a time that is still to come.");
}

/** The first position of what is published at an instant. */
export function positionOfInstant(instant: string): Position {
  return firstAt(Date.parse(instant));
}

/** Negative where `a` was created before `b`; 0 where their instants do not tell: a stable sort keeps the history's order then. */
export function compareByCreation(a: Instant, b: Instant): number {
  // Instants are normalised to one ISO form, so that the order of the texts is the order of the times.
  if (a.createdAt === b.createdAt) return 0;
  return a.createdAt < b.createdAt ? -1 : 1;
}

/** Whether the owner of a cursor lacks a message, as far as the instant of its creation tells. */
export function isCreatedAfter(message: MessageName, cursor: CursorPosition): boolean {
  return message.createdAt >= cursor.lacksSince && !cursor.isOf(message) && !cursor.hasSeen(message);
}

function sign(content: Buffer, key: Buffer): Buffer {
  return createHmac("sha256", key).update(content).digest().subarray(0, SIGNATURE_BYTES);
}

/** Ids are compared with few others, of their own chat and time: so much of a hash tells them apart. */
function hashOf(id: string): number {
  return hash("sha256", id, "buffer").readUInt32BE();
}

/** Of a message, by the hashes of both ids: chats may have messages of one id, and messages the id of a chat. */
function nameOf(chat: number, id: number): number {
  return (((chat << 1) | (chat >>> 31)) ^ id) >>> 0;
}

function pushHash(bytes: number[], hashed: number): void {
  bytes.push(hashed >>> 24, (hashed >>> 16) & 255, (hashed >>> 8) & 255, hashed & 255);
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function pushNumber(bytes: number[], number: number): void {
  let rest = number;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

/** Small numbers of either sign as small natural ones. */
function zigzag(number: number): number {
  return number < 0 ? -2 * number - 1 : 2 * number;
}

function unzigzag(number: number): number {
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

class Reader {
  readonly #bytes: Buffer;
  #next = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.#next++] ?? 0;
  }

  hash(): number {
    this.#next += HASH_BYTES;
    return this.#bytes.readUInt32BE(this.#next - HASH_BYTES);
  }

  number(): number {
    let number = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      number += (byte % 128) * factor;
      if (byte < 128) return number;
      factor *= 128;
    }
  }
}
