/** The domain, put together. */
import { createBoundedCache } from "../bounded-cache.ts";
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { FairTurns } from "../fair-turns.ts";
import type { Log } from "../log.ts";
import type { Counts } from "../measures.ts";
import type { ChatApi } from "../upstream/chat-api.ts";
import { Access } from "./access.ts";
import { Announcements } from "./announcements.ts";
import { BackendEvents } from "./backend-events.ts";
import { Chats } from "./chats.ts";
import { ownCursorKey, SharedCursorKey } from "./cursor-key.ts";
import type { Cursors } from "./cursor.ts";
import { Directory } from "./directory.ts";
import type { BusEvent } from "./events/registry.ts";
import { History } from "./history.ts";
import { KnownReads } from "./known-reads.ts";
import { Messages, type Limiter } from "./messages.ts";
import { Presence } from "./presence.ts";
import { PresenceAudience } from "./presence-audience.ts";
import { Questions } from "./questions.ts";
import { Receipts } from "./receipts.ts";
import { Sessions } from "./sessions.ts";
import { TokenGuard } from "./token-guard.ts";
import { Typing } from "./typing.ts";

/** How much longer the REST API may go without being asked about tokens again where the backend sends events. */
const EVENTS_STRETCH = 5;

/** Display names of users who are not connected. */
const REMEMBERED_NAMES = 20_000;

export interface ChatDomain {
  readonly access: Access;
  readonly backendEvents: BackendEvents;
  readonly chats: Chats;
  readonly cursors: Cursors;
  readonly directory: Directory;
  readonly history: History;
  readonly messages: Messages;
  readonly presence: Presence;
  readonly presenceAudience: PresenceAudience;
  readonly reads: KnownReads;
  readonly receipts: Receipts;
  readonly sessions: Sessions;
  /** For work that one user can cause a lot of. */
  readonly turns: FairTurns;
  readonly typing: Typing;
  /** Resolves when it receives what is published to every instance. */
  start(): Promise<void>;
  /** Resolves when nothing of it is under way any more. */
  close(): Promise<void>;
}

interface ChatDomainOptions {
  readonly config: Pick<
    Config,
    | "EVENTS_SECRET"
    | "HTTP_API_URL"
    | "MAX_MESSAGE_SIZE"
    | "PRESENCE_GRACE"
    | "PRESENCE_MAX_MEMBERS"
    | "RATE_LIMIT_FAILED_AUTH"
    | "REDIS_URL"
    | "RESUME_WINDOW"
    | "SESSION_RECHECK_BUDGET"
    | "SESSION_RECHECK_INTERVAL"
    | "TYPING_TIMEOUT"
  >;
  readonly api: ChatApi;
  readonly bus: Bus<BusEvent>;
  readonly limiter: Limiter;
  /** Counts what is refused for a limit. */
  readonly rateLimited: Counts;
  readonly clock: Clock;
  readonly log: Log;
}

export function createChatDomain(options: ChatDomainOptions): ChatDomain {
  const { config, api, bus, limiter, rateLimited, clock, log } = options;
  const turns = new FairTurns();
  const directory = new Directory(turns);
  const names = createBoundedCache<string, string>({ max: REMEMBERED_NAMES });
  const reads = new KnownReads((chatId, userId) => directory.nameOf(chatId, userId) ?? names.get(userId));
  const questions = new Questions(api, directory);
  const sessions = new Sessions({
    api,
    questions,
    directory,
    clock,
    guard: new TokenGuard(bus, config.RATE_LIMIT_FAILED_AUTH, rateLimited, log),
    turns,
    recheckIntervalMs: config.SESSION_RECHECK_INTERVAL,
    // A backend that says what has changed need not be asked so often.
    recheckBudget: config.SESSION_RECHECK_BUDGET / (config.EVENTS_SECRET === undefined ? 1 : EVENTS_STRETCH),
    log,
  });
  const announcements = new Announcements(bus, directory, sessions);
  const access = new Access({ questions, directory, sessions, announcements, names, turns, log });
  const presence = new Presence(bus, config.PRESENCE_GRACE, log);
  const typing = new Typing(access, bus, config.TYPING_TIMEOUT, log);
  sessions.observe(presence);
  sessions.observe(typing);
  const messages = new Messages({ api, access, typing, bus, limiter, maxContentBytes: config.MAX_MESSAGE_SIZE });
  const receipts = new Receipts(api, access, bus, reads);
  const cursorKey = new SharedCursorKey(bus, ownCursorKey(config), log);
  const history = new History({ api, access, reads, rateLimited, turns, cursors: cursorKey.cursors });
  const expectMs = config.RESUME_WINDOW;
  const backendEvents = new BackendEvents({ bus, announcements, directory, messages, receipts, expectMs });
  return {
    access,
    backendEvents,
    chats: new Chats({ access, history, reads, turns, hasReceipts: api.capabilities.receipts }),
    cursors: cursorKey.cursors,
    directory,
    history,
    messages,
    presence,
    presenceAudience: new PresenceAudience(directory, config.PRESENCE_MAX_MEMBERS),
    reads,
    receipts,
    sessions,
    turns,
    typing,
    async start() {
      await cursorKey.start();
      await announcements.start();
      await backendEvents.start();
    },
    async close() {
      cursorKey.close();
      await backendEvents.close();
      await announcements.close();
      sessions.shutDown();
      typing.close();
      await presence.close();
    },
  };
}
