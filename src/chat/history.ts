/** Pages of a chat's history in the order of time, out of a REST API whose own pages may come in any. */
import { badInput, hasCode } from "../errors.ts";
import type { NextPage } from "../upstream/chat-api.ts";
import { CreationOrder, type Ordered } from "./creation-order.ts";
import type { CursorPosition, Cursors } from "./cursor.ts";
import { HadMessages, MAX_HAD } from "./had-messages.ts";
import { isLeftOut, type HeldMessages, type HistoryPages } from "./held-messages.ts";
import { HistoryScans, type HistoryScansParts } from "./history-scans.ts";
import type { HistoryQuestion } from "./history-selection.ts";
import type { KnownReads } from "./known-reads.ts";
import type { Message, MessageName } from "./model.ts";
import type { Identity } from "./session.ts";

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

/** What is wanted of a history. */
export interface Selected {
  /** Oldest first; each once. */
  readonly messages: readonly Message[];
  /** What is not wanted, of those that were created since the question's `hadSince`. */
  readonly had: readonly MessageName[];
}

interface HistoryParts {
  readonly cursors: Cursors;
}

export class History {
  readonly #reads: KnownReads;
  readonly #cursors: Cursors;
  readonly #scans: HistoryScans;

  constructor({ cursors, ...parts }: HistoryScansParts & HistoryParts) {
    this.#cursors = cursors;
    this.#reads = parts.reads;
    this.#scans = new HistoryScans(parts);
  }

  /**
   * The newest `last` messages of a chat before a cursor.
   *
   * @throws GatewayError BAD_USER_INPUT; else as {@link read}.
   */
  async page(identity: Identity, chatId: string, { last, before }: HistoryArguments): Promise<HistoryPage> {
    if (last < 1 || last > MAX_PAGE_SIZE) throw badInput("last", `Ask for 1 to ${MAX_PAGE_SIZE} messages.`);
    const end = before === undefined ? undefined : this.#parseBefore(before, chatId);
    const had = new HadMessages(Date.now());
    const order = new CreationOrder();
    let newest: Ordered[] = [];
    const ofInstant: Ordered[] = [];
    let hasNextPage = false;
    const take = (page: readonly Ordered[]): boolean => {
      const older = end ? page.filter(({ message }) => message.createdAt < end.createdAt) : page;
      if (end) ofInstant.push(...page.filter(({ message }) => message.createdAt === end.createdAt));
      hasNextPage ||= end !== undefined && page.some(({ message }) => message.createdAt > end.createdAt);
      // One more than asked for tells whether there is a page before, however the pages come; the rest need not be kept.
      newest = newestOf(order.ordered([...newest, ...older]), last + 1, had.uncertainSince);
      return true;
    };
    await this.#scans.readPages(identity, chatId, order, take);
    if (end) {
      const older = beforePlace(order.ordered(ofInstant), end);
      hasNextPage ||= older.length < ofInstant.length;
      newest = newestOf(order.ordered([...newest, ...older]), last + 1, had.uncertainSince);
    }
    const all = newest.map(({ message }) => had.give(message, message.createdAt));
    return {
      messages: all.slice(-last).map((message) => this.#reads.complete(message)),
      hasNextPage,
      hasPreviousPage: all.length > last,
    };
  }

  #parseBefore(before: string, chatId: string): CursorPosition {
    let cursor: CursorPosition;
    try {
      cursor = this.#cursors.parse(before, "before");
    } catch (error) {
      if (!hasCode(error, "CURSOR_EXPIRED")) throw error;
      throw badInput("before", "This is not a cursor of this API.");
    }
    if (!cursor.isOfChat(chatId)) throw badInput("before", "This cursor belongs to another chat.");
    return cursor;
  }

  /**
   * The messages that a question wants.
   *
   * @throws GatewayError CURSOR_EXPIRED where they are more than the limit, or the user has had too much read lately; else as {@link read}.
   */
  async select(identity: Identity, chatId: string, question: HistoryQuestion): Promise<Selected> {
    question.held?.begin(new ChatPages(this, this.#scans, identity, chatId));
    const { wanted, had } = await this.#scans.select(identity, chatId, question);
    const messages = wanted.map(({ message }) => (isLeftOut(message) ? message : this.#reads.complete(message)));
    return { messages, had };
  }

  /**
   * Messages of others that the viewer has not read, counted.
   *
   * @throws GatewayError as {@link select}, but for CURSOR_EXPIRED.
   */
  async countUnread(identity: Identity, chatId: string): Promise<number> {
    const { id } = identity.user;
    // A message that names no readers has the time of the first reading alone: the viewer is taken for the reader.
    const isRead = ({ readAt, readBy }: Message): boolean =>
      readBy && readBy.length > 0 ? readBy.some(({ userId }) => userId === id) : readAt !== null;
    const isWanted = (message: Message): boolean => message.sender.id !== id && !isRead(message);
    return (await this.#scans.select(identity, chatId, { isWanted, limit: Infinity })).wanted.length;
  }
}

/** The history of one chat, as one user may read it. */
class ChatPages implements HistoryPages {
  readonly #history: History;
  readonly #scans: HistoryScans;
  readonly #identity: Identity;
  readonly #chatId: string;

  constructor(history: History, scans: HistoryScans, identity: Identity, chatId: string) {
    this.#history = history;
    this.#scans = scans;
    this.#identity = identity;
    this.#chatId = chatId;
  }

  readPage(asked: NextPage | undefined, wanted: ReadonlySet<string>): Promise<readonly Message[]> {
    return this.#scans.page(this.#identity, this.#chatId, asked, wanted);
  }

  async select(isWanted: (message: Message) => boolean, held: HeldMessages): Promise<readonly Message[]> {
    const { messages } = await this.#history.select(this.#identity, this.#chatId, { isWanted, limit: Infinity, held });
    return messages;
  }
}

/**
 * Those of the place's own instant that stand before it; where the message is gone, those that its cursor names. A place in the log names none:
 * all of them may be before it.
 */
function beforePlace(ofInstant: readonly Ordered[], cursor: CursorPosition): readonly Ordered[] {
  const index = ofInstant.findIndex(({ message }) => cursor.isOf(message));
  if (index === -1 && cursor.position !== undefined) return ofInstant;
  return index === -1 ? ofInstant.filter(({ message }) => cursor.hasSeen(message)) : ofInstant.slice(0, index);
}

/** The newest `count` of messages in order, and those before them that cursors may name. */
function newestOf(messages: readonly Ordered[], count: number, uncertainSince: string): Ordered[] {
  const first = Math.max(0, messages.length - count);
  const instant = messages[first]?.message.createdAt ?? "";
  const named = instant < uncertainSince ? instant : uncertainSince;
  let start = first;
  while (first - start < MAX_HAD && (messages[start - 1]?.message.createdAt ?? "") >= named) start--;
  return messages.slice(start);
}
