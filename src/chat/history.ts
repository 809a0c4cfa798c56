/** Pages of a chat's history in the order of time, out of a REST API whose own pages may come in any. */
import { badInput, hasCode } from "../errors.ts";
import type { NextPage } from "../upstream/chat-api.ts";
import { whereReachable, type EventLog, type LogEntry } from "../bus/bus.ts";
import { earlier, type Position } from "../bus/position.ts";
import { CreationOrder, type Ordered } from "./creation-order.ts";
import { MAX_SEEN, PUBLICATION_MARGIN_MS, type CursorPosition, type Cursors } from "./cursor.ts";
import type { BusEvent } from "./events/registry.ts";
import { isLeftOut, type HeldMessages, type HistoryPages } from "./held-messages.ts";
import { chatTopic } from "./events/topics.ts";
import { HistoryScans, type HistoryQuestion, type HistoryScansParts } from "./history-scans.ts";
import type { KnownReads } from "./known-reads.ts";
import type { Message } from "./model.ts";
import type { Identity } from "./session.ts";

/** Messages of one page of the gateway at most. */
export const MAX_PAGE_SIZE = 500;

interface Recent {
  readonly published: readonly Message[];
  readonly pending: ReadonlySet<string>;
}

const NOTHING_RECENT: Recent = { published: [], pending: new Set() };

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

interface HistoryParts {
  readonly log: EventLog<BusEvent>;
  readonly cursors: Cursors;
}

export class History {
  readonly #log: EventLog<BusEvent>;
  readonly #reads: KnownReads;
  readonly #cursors: Cursors;
  readonly #scans: HistoryScans;

  constructor({ log, cursors, ...parts }: HistoryScansParts & HistoryParts) {
    this.#log = log;
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
    // Before the first request: what is published from now on may be in one of its answers, or in none.
    const { base, topics } = this.#log.position([chatTopic(chatId)]);
    const order = new CreationOrder();
    let newest: Ordered[] = [];
    const ofInstant: Ordered[] = [];
    let hasNextPage = false;
    let requests = 0;
    const take = (page: readonly Ordered[]): boolean => {
      requests++;
      const older = end ? page.filter(({ message }) => message.createdAt < end.createdAt) : page;
      if (end) ofInstant.push(...page.filter(({ message }) => message.createdAt === end.createdAt));
      hasNextPage ||= end !== undefined && page.some(({ message }) => message.createdAt > end.createdAt);
      // One more than asked for tells whether there is a page before, however the pages come; the rest need not be kept.
      newest = newestOf(order.ordered([...newest, ...older]), last + 1);
      return true;
    };
    await this.#scans.readPages(identity, chatId, order, take);
    if (end) {
      const older = beforePlace(order.ordered(ofInstant), end);
      hasNextPage ||= older.length < ofInstant.length;
      newest = newestOf(order.ordered([...newest, ...older]), last + 1);
    }
    const found = newest.map(({ message }) => message);
    const { published, pending } = end
      ? NOTHING_RECENT
      : await this.#recent(chatId, found, requests > 1, topics[chatTopic(chatId)] ?? base);
    const all = newestOf(order.ordered([...order.addLater(published), ...newest]), last + 1);
    return {
      messages: withSeen(all, pending)
        .slice(-last)
        .map((message) => this.#reads.complete(message)),
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
   * What became known while the newest messages were being read, in several requests perhaps: `published` then, though persisted
   * in a page that had been read before; `pending`: read, and not published yet, so that it will come by live. One answer without
   * recent messages has neither.
   */
  async #recent(chatId: string, newest: readonly Message[], isPaged: boolean, since: Position): Promise<Recent> {
    const instant = new Date(Date.now() - PUBLICATION_MARGIN_MS).toISOString();
    const recent = newest.filter(({ createdAt }) => createdAt >= instant);
    if (!isPaged && recent.length === 0) return NOTHING_RECENT;
    const start = earlier(since, PUBLICATION_MARGIN_MS);
    const entries = (await this.#read(chatId, start)) ?? (await this.#read(chatId, since)) ?? [];
    const messages = entries.flatMap(({ event, position }) =>
      event.type === "message.created" ? [{ ...event.message, position }] : [],
    );
    const ids = new Set(messages.map(({ id }) => id));
    return {
      published: messages
        .filter(({ position }) => position > since)
        // As the history has it: its place in the log is none in the order of creation.
        .map((message) => ({ ...message, position: undefined })),
      pending: new Set(recent.map(({ id }) => id).filter((id) => !ids.has(id))),
    };
  }

  async #read(chatId: string, after: Position): Promise<readonly LogEntry<BusEvent>[] | undefined> {
    return whereReachable(this.#log.read(chatTopic(chatId), after), undefined);
  }

  /**
   * The messages that a question wants, oldest first; each message once.
   *
   * @throws GatewayError CURSOR_EXPIRED where they are more than the limit, or the user has had too much read lately; else as {@link read}.
   */
  async select(identity: Identity, chatId: string, question: HistoryQuestion): Promise<readonly Message[]> {
    question.held?.begin(new ChatPages(this, this.#scans, identity, chatId));
    const { wanted, had } = await this.#scans.select(identity, chatId, question);
    const messages = withSeen(wanted, NOTHING_RECENT.pending, question.hadAt, had);
    return messages.map((message) => (isLeftOut(message) ? message : this.#reads.complete(message)));
  }

  /**
   * Messages of others that nobody has read yet, counted.
   *
   * @throws GatewayError as {@link select}, but for CURSOR_EXPIRED.
   */
  async countUnread(identity: Identity, chatId: string): Promise<number> {
    const { id } = identity.user;
    const isWanted = ({ sender, readAt }: Message): boolean => sender.id !== id && readAt === null;
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

  select(isWanted: (message: Message) => boolean, held: HeldMessages): Promise<readonly Message[]> {
    return this.#history.select(this.#identity, this.#chatId, { isWanted, limit: Infinity, held });
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

/** The newest `count` of messages in order, and those of the first one's instant that stand before it: its cursor names them. */
function newestOf(messages: readonly Ordered[], count: number): Ordered[] {
  const first = Math.max(0, messages.length - count);
  const instant = messages[first]?.message.createdAt;
  let start = first;
  while (first - start < MAX_SEEN && start > 0 && messages[start - 1]?.message.createdAt === instant) start--;
  return messages.slice(start);
}

/**
 * Each with those before it, for its cursor, that its instant does not tell to be: of the same one, or still to come by.
 *
 * @param had ids of messages of the instant `hadAt` that are not among these, and have been delivered already.
 */
function withSeen(
  ordered: readonly Ordered[],
  pending: ReadonlySet<string>,
  hadAt?: string,
  had: readonly string[] = [],
): Message[] {
  let instant: string | undefined;
  let ofInstant: string[] = [];
  const pendingSoFar: string[] = [];
  return ordered.map(({ message }) => {
    const { id, createdAt } = message;
    if (createdAt !== instant) {
      instant = createdAt;
      ofInstant = createdAt === hadAt ? [...had] : [];
    }
    const seen = seenOf(ofInstant, pendingSoFar);
    ofInstant.push(id);
    if (pending.has(id)) pendingSoFar.push(id);
    return seen.length > 0 ? { ...message, seen } : message;
  });
}

/** No more than a cursor can name. */
function seenOf(ofInstant: readonly string[], pending: readonly string[]): readonly string[] {
  const last = ofInstant.slice(-MAX_SEEN);
  return pending.length === 0 ? last : [...new Set([...last, ...pending])].slice(-MAX_SEEN);
}
