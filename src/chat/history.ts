/** Pages of a chat's history in the order of time, out of a REST API whose own pages have none. */
import { badInput, GatewayError } from "../errors.ts";
import type { ChatApi, NextPage } from "../upstream/chat-api.ts";
import type { Access } from "./access.ts";
import { compareByCreation, MAX_SIMULTANEOUS, parseCursor, type Place } from "./cursor.ts";
import { toMessage, type Message } from "./model.ts";
import type { Identity } from "./session.ts";

/** Messages asked for in one request to the REST API, which may ignore it. */
const UPSTREAM_PAGE_SIZE = 100;

/** Pages read for one question at most, so that a backend whose paging runs in a circle is found out. */
const MAX_UPSTREAM_PAGES = 1000;

/** Messages of one page of the gateway at most. */
export const MAX_PAGE_SIZE = 500;

export interface HistoryPage {
  /** Oldest first. */
  readonly messages: readonly Message[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

export interface HistoryArguments {
  readonly last: number;
  readonly before: string | undefined;
}

export class History {
  readonly #api: ChatApi;
  readonly #access: Access;

  constructor(api: ChatApi, access: Access) {
    this.#api = api;
    this.#access = access;
  }

  /**
   * The newest `last` messages of a chat before a cursor.
   *
   * @throws GatewayError BAD_USER_INPUT; else as {@link read}.
   */
  async page(identity: Identity, chatId: string, { last, before }: HistoryArguments): Promise<HistoryPage> {
    if (last < 1 || last > MAX_PAGE_SIZE) throw badInput("last", `Ask for 1 to ${MAX_PAGE_SIZE} messages.`);
    const end = before === undefined ? undefined : parsePlace(before, chatId);
    let newest: Message[] = [];
    let hasNextPage = false;
    for await (const messages of this.read(identity, chatId)) {
      const older = end ? messages.filter((message) => compareByCreation(message, end) < 0) : messages;
      hasNextPage ||= older.length < messages.length;
      // One more than asked for tells whether there is a page before, however the pages come; the rest need not be kept.
      newest = newestOf(distinct([...newest, ...older]), last + 1);
    }
    return { messages: withSimultaneous(newest).slice(-last), hasNextPage, hasPreviousPage: newest.length > last };
  }

  /**
   * Every message of a chat that `isWanted`, oldest first; each message once.
   *
   * @throws GatewayError CURSOR_EXPIRED where they are more than `limit`; else as {@link read}.
   */
  async select(
    identity: Identity,
    chatId: string,
    isWanted: (message: Message) => boolean,
    limit: number,
  ): Promise<readonly Message[]> {
    let wanted: Message[] = [];
    for await (const messages of this.read(identity, chatId)) {
      wanted = distinct([...wanted, ...messages.filter(isWanted)]);
      if (wanted.length > limit) throw new GatewayError("CURSOR_EXPIRED");
    }
    return withSimultaneous(wanted);
  }

  /**
   * Every message of a chat, in pages of no particular order.
   *
   * @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async *read(identity: Identity, chatId: string): AsyncGenerator<readonly Message[], void, undefined> {
    let next: NextPage | undefined;
    const seen = new Set<string>();
    for (let count = 0; count < MAX_UPSTREAM_PAGES; count++) {
      const asked = next;
      const page = await this.#access.call(identity, chatId, () =>
        this.#api.messages(identity.token, chatId, UPSTREAM_PAGE_SIZE, asked),
      );
      yield page.messages.map((message) => ofChat(chatId, toMessage(message)));
      next = page.next;
      if (!next) return;
      if (seen.has(next.value)) break;
      seen.add(next.value);
    }
    throw new GatewayError("UPSTREAM_UNAVAILABLE", { cause: new Error("the pages of a chat's history have no end") });
  }
}

/** @throws GatewayError UPSTREAM_UNAVAILABLE where a page has a message of another chat: its members alone may read it. */
function ofChat(chatId: string, message: Message): Message {
  if (message.chatId === chatId) return message;
  const cause = new Error("GET /chats/:chatId/messages: answered with a message of another chat");
  throw new GatewayError("UPSTREAM_UNAVAILABLE", { cause });
}

function parsePlace(before: string, chatId: string): Place {
  const place = parseCursor(before, "before");
  if (place.chatId !== chatId) throw badInput("before", "This cursor belongs to another chat.");
  return place;
}

/** In order, each message once: pages may overlap while somebody writes. */
function distinct(messages: readonly Message[]): Message[] {
  return [...new Map(messages.map((message) => [message.id, message])).values()].toSorted(compareByCreation);
}

/** The newest `count` of messages in order, and those of the first one's instant that stand before it: its cursor names them. */
function newestOf(messages: readonly Message[], count: number): Message[] {
  const first = Math.max(0, messages.length - count);
  const instant = messages[first]?.createdAt;
  let start = first;
  while (first - start < MAX_SIMULTANEOUS && start > 0 && messages[start - 1]?.createdAt === instant) start--;
  return messages.slice(start);
}

/** Each with those of its instant that come before it, for its cursor. `messages` are in order. */
function withSimultaneous(messages: readonly Message[]): Message[] {
  let ofInstant: string[] = [];
  return messages.map((message, index) => {
    if (messages[index - 1]?.createdAt !== message.createdAt) ofInstant = [];
    const simultaneous = ofInstant.length > 0 ? [...ofInstant] : undefined;
    ofInstant.push(message.id);
    return simultaneous ? { ...message, simultaneous } : message;
  });
}
