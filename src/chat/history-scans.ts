/** Reads whole histories, once for all who want something of the same one at the same time. */
import { createBoundedCache } from "../bounded-cache.ts";
import { GatewayError } from "../errors.ts";
import type { FairTurns } from "../fair-turns.ts";
import type { Counts } from "../measures.ts";
import type { ChatApi, MessagePage, NextPage } from "../upstream/chat-api.ts";
import type { Access } from "./access.ts";
import { CreationOrder, type Ordered } from "./creation-order.ts";
import { HistorySelection, type HistoryAnswer, type HistoryQuestion } from "./history-selection.ts";
import type { KnownReads } from "./known-reads.ts";
import { toMessage, type Message } from "./model.ts";
import { RecentPages } from "./recent-pages.ts";
import type { Identity } from "./session.ts";

/** Messages asked for in one request to the REST API, which may ignore it. */
const UPSTREAM_PAGE_SIZE = 100;

/** Pages read for one question at most, so that a backend whose paging runs in a circle is found out. */
const MAX_UPSTREAM_PAGES = 1000;

/** Histories that are read for one user at a time; the others wait. */
const MAX_SCANS = 8;

/** Histories that are read for one user in a while, at most. */
const MAX_SCANS_PER_WINDOW = 5000;
const WINDOW_MS = 60_000;

const REMEMBERED_USERS = 20_000;

/** One reading of a history with the right of one token. */
interface Scan {
  readonly key: string;
  readonly identity: Identity;
  readonly chatId: string;
  readonly selections: HistorySelection[];
  isRunning: boolean;
  /** Of those who came after it had begun. */
  next: Scan | undefined;
}

interface UserScans {
  running: number;
  readonly waiting: Set<Scan>;
}

export interface HistoryScansParts {
  readonly api: ChatApi;
  readonly access: Access;
  readonly reads: KnownReads;
  /** Counts what is refused for a limit. */
  readonly rateLimited: Counts;
  /** For those who wait for what was read. */
  readonly turns: FairTurns;
}

export class HistoryScans {
  readonly #api: ChatApi;
  readonly #access: Access;
  readonly #reads: KnownReads;
  readonly #limited: Counts;
  readonly #turns: FairTurns;
  readonly #recent = new RecentPages();
  /** By token and chat: the answer is for whoever the REST API gave it to. */
  readonly #scans = new Map<string, Scan>();
  readonly #users = new Map<string, UserScans>();
  readonly #begun = createBoundedCache<string, number>({ max: REMEMBERED_USERS, ttl: WINDOW_MS });

  constructor({ api, access, reads, rateLimited, turns }: HistoryScansParts) {
    this.#turns = turns;
    this.#limited = rateLimited;
    this.#api = api;
    this.#access = access;
    this.#reads = reads;
  }

  /**
   * What is wanted of a chat's history. It is read to its end, or until nobody wants more of it.
   *
   * @throws GatewayError CURSOR_EXPIRED where it is more than the limit, or too many histories were read for the user lately; NOT_FOUND,
   * NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  select(identity: Identity, chatId: string, question: HistoryQuestion): Promise<HistoryAnswer> {
    const selection = new HistorySelection(question);
    const key = JSON.stringify([identity.tokenHash, chatId]);
    const known = this.#scans.get(key);
    if (known && !known.isRunning) known.selections.push(selection);
    else if (known?.next) known.next.selections.push(selection);
    else {
      const scan: Scan = { key, identity, chatId, selections: [selection], isRunning: false, next: undefined };
      if (known) known.next = scan;
      else this.#enqueue(scan);
    }
    return selection.answer;
  }

  /** Those of the messages of one page of the API whose ids are wanted. @throws GatewayError as {@link readPages}. */
  async page(
    identity: Identity,
    chatId: string,
    asked: NextPage | undefined,
    wanted: ReadonlySet<string>,
  ): Promise<readonly Message[]> {
    const page = this.#recent.get(identity, chatId, asked) ?? (await this.#readAgain(identity, chatId, asked));
    return page.messages.flatMap((wire) => {
      if (!wanted.has(wire.id)) return [];
      const message = toMessage(wire);
      this.#reads.learn(message);
      return [this.#reads.complete(message)];
    });
  }

  async #readAgain(identity: Identity, chatId: string, asked: NextPage | undefined): Promise<MessagePage> {
    const page = await this.#fetch(identity, chatId, asked);
    this.#recent.keep(identity, chatId, asked, page);
    return page;
  }

  async #fetch(identity: Identity, chatId: string, asked: NextPage | undefined): Promise<MessagePage> {
    return this.#access.call(identity, chatId, () =>
      this.#api.messages(identity.token, chatId, UPSTREAM_PAGE_SIZE, asked),
    );
  }

  /**
   * Reads every message of a chat, a page of the API at a time.
   *
   * @param take is given each page, and says whether the next one is wanted.
   * @param visited is given how each page was asked for.
   * @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async readPages(
    identity: Identity,
    chatId: string,
    order: CreationOrder,
    take: (page: readonly Ordered[]) => boolean,
    visited: (NextPage | undefined)[] = [],
  ): Promise<void> {
    let next: NextPage | undefined;
    const seen = new Set<string>();
    for (let count = 0; count < MAX_UPSTREAM_PAGES; count++) {
      visited.push(next);
      next = await this.#readPage(identity, chatId, order, take, next);
      if (!next) return;
      if (seen.has(next.value)) throw unreadable("its pages run in a circle");
      seen.add(next.value);
    }
    throw unreadable(
      `it has more than ${MAX_UPSTREAM_PAGES} pages; larger ones, up to ${UPSTREAM_PAGE_SIZE} messages, would do`,
    );
  }

  /** A function of its own: one that waits for the next page keeps this one in memory until it has come. */
  async #readPage(
    identity: Identity,
    chatId: string,
    order: CreationOrder,
    take: (page: readonly Ordered[]) => boolean,
    asked: NextPage | undefined,
  ): Promise<NextPage | undefined> {
    const page = await this.#fetch(identity, chatId, asked);
    this.#recent.replace(identity, chatId, asked, page);
    const ordered = order.add(page.messages);
    for (const { message } of ordered) this.#reads.learn(message);
    return take(ordered) ? page.next : undefined;
  }

  #enqueue(scan: Scan): void {
    const userId = scan.identity.user.id;
    this.#scans.set(scan.key, scan);
    let user = this.#users.get(userId);
    if (!user) {
      user = { running: 0, waiting: new Set() };
      this.#users.set(userId, user);
    }
    user.waiting.add(scan);
    this.#startNext(userId);
  }

  #startNext(userId: string): void {
    const user = this.#users.get(userId);
    if (!user) return;
    while (user.running < MAX_SCANS) {
      const [scan] = user.waiting;
      if (!scan) break;
      user.waiting.delete(scan);
      user.running++;
      void this.#run(scan).finally(() => {
        user.running--;
        this.#ended(scan);
        this.#startNext(userId);
      });
    }
    if (user.running === 0 && user.waiting.size === 0) this.#users.delete(userId);
  }

  /** Never rejects. */
  async #run(scan: Scan): Promise<void> {
    const { identity, chatId, selections } = scan;
    // In a later turn, so that all who ask in this one are part of it.
    await Promise.resolve();
    scan.isRunning = true;
    try {
      if (selections.every(({ isBounded }) => isBounded)) this.#count(identity.user.id);
      const order = new CreationOrder();
      const visited: (NextPage | undefined)[] = [];
      const take = (page: readonly Ordered[]): boolean => {
        for (const selection of selections) selection.take(page, order);
        return !selections.every(({ isDone }) => isDone);
      };
      await this.readPages(identity, chatId, order, take, visited);
      for (const selection of selections) {
        // The caller that receives it goes on working in this turn.
        await this.#turns.next(identity.user.id);
        if (!selection.isDone) selection.finish(order, visited);
      }
    } catch (error) {
      for (const selection of selections) if (!selection.isDone) selection.fail(error);
    }
  }

  #ended({ key, next }: Scan): void {
    this.#scans.delete(key);
    if (next) this.#enqueue(next);
  }

  #count(userId: string): void {
    const begun = (this.#begun.get(userId) ?? 0) + 1;
    // The window began with the first of them.
    this.#begun.set(userId, begun, { noUpdateTTL: true });
    if (begun <= MAX_SCANS_PER_WINDOW) return;
    this.#limited.add("histories");
    throw new GatewayError("CURSOR_EXPIRED");
  }
}

function unreadable(why: string): GatewayError {
  return new GatewayError("UPSTREAM_UNAVAILABLE", { cause: new Error(`a chat's history cannot be read: ${why}`) });
}
