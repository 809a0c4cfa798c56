/** Messages of a history that one reader waits for: a part of them is held, the others are read again when their turn comes. */
import { GatewayError } from "../errors.ts";
import type { NextPage } from "../upstream/chat-api.ts";
import type { Ordered } from "./creation-order.ts";
import type { BusEvent } from "./events/registry.ts";
import type { Message, User } from "./model.ts";

/** A message beside its text, and each id that it carries for its cursor. */
const MESSAGE_BYTES = 500;
const SEEN_BYTES = 40;

/** How often a history is read anew whose pages have changed while they were read. */
const MAX_SCANS = 5;

const NOBODY: User = { id: "", name: "" };

/** The history that the messages are of. */
export interface HistoryPages {
  /** Those of the messages of one page whose ids are wanted. */
  readPage(asked: NextPage | undefined, wanted: ReadonlySet<string>): Promise<readonly Message[]>;
  /** Reads the whole history anew. */
  select(isWanted: (message: Message) => boolean, held: HeldMessages): Promise<readonly Message[]>;
}

/** A message that is not held. */
interface LeftOut {
  readonly page: number;
  readonly bytes: number;
}

export class HeldMessages {
  readonly #maxBytes: number;
  #leftOut = new Map<string, LeftOut>();
  #pages: readonly (NextPage | undefined)[] = [];
  #history: HistoryPages | undefined;

  /** @param maxBytes of the messages that are held: the oldest ones. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The history is about to be read. */
  begin(history: HistoryPages): void {
    this.#history = history;
  }

  /** All of the history has been read. @param pages how each was asked for. */
  read(pages: readonly (NextPage | undefined)[]): void {
    this.#pages = pages;
  }

  /** Of messages in order, the first ones as they are, the others without their text. */
  trim(ordered: readonly Ordered[]): readonly Ordered[] {
    let bytes = 0;
    return ordered.map((each, index) => {
      bytes += this.bytesOf(each.message);
      if (bytes <= this.#maxBytes || index === 0 || this.#leftOut.has(each.message.id)) return each;
      return { ...each, message: this.#leaveOut(each.message, each.page) };
    });
  }

  bytesOf(message: Message): number {
    return this.#leftOut.get(message.id)?.bytes ?? messageBytes(message);
  }

  /** The messages with their texts, without those that are gone. @throws GatewayError as the history does; CURSOR_EXPIRED */
  async whole(messages: readonly Message[]): Promise<readonly Message[]> {
    const whole = new Map<string, Message>();
    let missing = messages.filter(({ id }) => this.#leftOut.has(id));
    for (let scans = 0; missing.length > 0; scans++) {
      if (scans > MAX_SCANS) throw new GatewayError("CURSOR_EXPIRED");
      // Pages that are counted by their messages change while somebody writes.
      if (scans > 0) await this.#find(whole);
      await this.#readPages(missing, whole);
      missing = messages.filter(({ id }) => this.#leftOut.has(id) && !whole.has(id));
    }
    const isGone = ({ id, sender }: Message): boolean => sender === NOBODY && !whole.has(id);
    const found = messages.filter((message) => !isGone(message));
    for (const { id } of found) this.#leftOut.delete(id);
    return found.map((message) => {
      const read = whole.get(message.id);
      return read ? { ...read, seen: message.seen } : message;
    });
  }

  async #readPages(missing: readonly Message[], whole: Map<string, Message>): Promise<void> {
    const wanted = new Set(missing.map(({ id }) => id));
    const pages = new Set(missing.flatMap(({ id }) => this.#leftOut.get(id)?.page ?? []));
    for (const page of pages) await this.#readPage(page, wanted, whole);
  }

  /** A function of its own: one that waits for the next page would keep this one in memory. */
  async #readPage(page: number, wanted: ReadonlySet<string>, whole: Map<string, Message>): Promise<void> {
    for (const message of (await this.#history?.readPage(this.#pages[page], wanted)) ?? []) {
      whole.set(message.id, message);
    }
  }

  /** Where the messages are now. */
  async #find(whole: Map<string, Message>): Promise<void> {
    const again = new HeldMessages(this.#maxBytes);
    const isLeftOut = ({ id }: Message): boolean => this.#leftOut.has(id) && !whole.has(id);
    const found = (await this.#history?.select(isLeftOut, again)) ?? [];
    for (const message of found) if (message.sender !== NOBODY) whole.set(message.id, message);
    this.#leftOut = again.#leftOut;
    this.#pages = again.#pages;
  }

  #leaveOut(message: Message, page: number): Message {
    const { id, chatId, createdAt } = message;
    this.#leftOut.set(id, { page, bytes: messageBytes(message) });
    return { id, chatId, createdAt, sender: NOBODY, content: "", readAt: null, clientMessageId: null };
  }
}

/** How much memory a message takes, roughly. */
function messageBytes({ content, seen = [] }: Pick<Message, "content" | "seen">): number {
  return MESSAGE_BYTES + content.length + SEEN_BYTES * seen.length;
}

/** How much memory an event takes, roughly. */
export function eventBytes(event: BusEvent): number {
  return event.type === "message.created" ? messageBytes(event.message) : MESSAGE_BYTES;
}
