/** Messages of a history that one reader waits for: a part of them is held, the others are read again when their turn comes. */
import { GatewayError } from "../errors.ts";
import type { NextPage } from "../upstream/chat-api.ts";
import type { Ordered } from "./creation-order.ts";
import type { BusEvent } from "./events/registry.ts";
import type { Message, User } from "./model.ts";

/** A message beside its text. */
const MESSAGE_BYTES = 500;

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

/** A message whose text is not held, nor anything else but its place. */
interface LeftOut extends Message {
  readonly leftOut: { readonly page: number; readonly bytes: number };
}

export class HeldMessages {
  /** Of the messages that are held: the oldest ones, and the first one in any case. 0: none is. */
  readonly maxBytes: number;
  #pages: readonly (NextPage | undefined)[] = [];
  #history: HistoryPages | undefined;
  /** By id, where those that are left out are now, once their history has been read anew. */
  #moved: ReadonlyMap<string, LeftOut> | undefined;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
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
    if (this.maxBytes === 0) return ordered.map((each) => withoutText(each));
    let bytes = 0;
    return ordered.map((each, index) => {
      bytes += bytesOf(each.message);
      return bytes <= this.maxBytes || index === 0 ? each : withoutText(each);
    });
  }

  /**
   * Messages with their texts, without those that are gone.
   *
   * @param all the messages of the reader, and these among them.
   * @throws GatewayError as the history does; CURSOR_EXPIRED
   */
  async whole(messages: readonly Message[], all: readonly Message[]): Promise<readonly Message[]> {
    const whole = new Map<string, Message>();
    let missing = this.#placesOf(messages.filter(isLeftOut));
    for (let scans = 0; missing.length > 0; scans++) {
      if (scans > MAX_SCANS) throw new GatewayError("CURSOR_EXPIRED");
      // Pages that are counted by their messages change while somebody writes.
      if (scans > 0) await this.#find(all.filter(isLeftOut));
      await this.#readPages(this.#placesOf(missing), whole);
      missing = this.#placesOf(missing).filter(({ id }) => !whole.has(id));
    }
    return messages.flatMap((message) => {
      if (!isLeftOut(message)) return message;
      const read = whole.get(message.id);
      if (!read) return [];
      const { position } = message;
      return position === undefined ? read : { ...read, position };
    });
  }

  /** Where messages are now, without those that are gone. */
  #placesOf(messages: readonly LeftOut[]): readonly LeftOut[] {
    const moved = this.#moved;
    return moved ? messages.flatMap(({ id }) => moved.get(id) ?? []) : messages;
  }

  async #readPages(missing: readonly LeftOut[], whole: Map<string, Message>): Promise<void> {
    const wanted = new Set(missing.map(({ id }) => id));
    const pages = new Set(missing.map(({ leftOut }) => leftOut.page));
    for (const page of pages) await this.#readPage(page, wanted, whole);
  }

  /** A function of its own: one that waits for the next page would keep this one in memory. */
  async #readPage(page: number, wanted: ReadonlySet<string>, whole: Map<string, Message>): Promise<void> {
    for (const message of (await this.#history?.readPage(this.#pages[page], wanted)) ?? []) {
      whole.set(message.id, message);
    }
  }

  /** Where all of them are now: what is asked for later has moved as well. */
  async #find(all: readonly LeftOut[]): Promise<void> {
    const ids = new Set(all.map(({ id }) => id));
    const places = new HeldMessages(0);
    const found = (await this.#history?.select(({ id }) => ids.has(id), places)) ?? [];
    this.#moved = new Map(found.filter(isLeftOut).map((message) => [message.id, message]));
    this.#pages = places.#pages;
  }
}

/** Whether only its place is known. */
export function isLeftOut(message: Message): message is LeftOut {
  return "leftOut" in message;
}

function withoutText(ordered: Ordered): Ordered {
  const { message, createdAt, page, index } = ordered;
  if (isLeftOut(message)) return ordered;
  ordered.withoutText ??= { message: leaveOut(message, page), createdAt, page, index, withoutText: undefined };
  return ordered.withoutText;
}

function leaveOut({ id, chatId, createdAt, content }: Message, page: number): LeftOut {
  return {
    id,
    chatId,
    sender: NOBODY,
    content: "",
    createdAt,
    readAt: null,
    clientMessageId: null,
    leftOut: { page, bytes: messageBytes({ content }) },
  };
}

/** How much memory a message takes, or took, roughly. */
export function bytesOf(message: Message): number {
  return isLeftOut(message) ? message.leftOut.bytes : messageBytes(message);
}

function messageBytes({ content }: Pick<Message, "content">): number {
  return MESSAGE_BYTES + content.length;
}

/** How much memory an event takes, roughly. */
export function eventBytes(event: BusEvent): number {
  return event.type === "message.created" ? messageBytes(event.message) : MESSAGE_BYTES;
}
