/** Opens, watches and ends sessions: asks the REST API who somebody is and what chats they are in, at first and again. */
import type { LRUCache } from "lru-cache";
import { createBoundedCache } from "../bounded-cache.ts";
import { onBehalfOf } from "../call-origin.ts";
import type { Clock } from "../clock.ts";
import { badInput, GatewayError, hasCode } from "../errors.ts";
import type { FairTurns } from "../fair-turns.ts";
import type { Log } from "../log.ts";
import { OneAtATime } from "../one-at-a-time.ts";
import type { ChatApi } from "../upstream/chat-api.ts";
import { learnChats, listChats, type ChatList } from "./chat-list.ts";
import { Credential, type CredentialWatch } from "./credential.ts";
import type { Directory } from "./directory.ts";
import type { Me } from "./model.ts";
import type { Questions } from "./questions.ts";
import { hashToken, Session, type Identity } from "./session.ts";
import type { TokenGuard, TokenSource } from "./token-guard.ts";
import { Unauthenticated } from "./unauthenticated.ts";

/** How long an answer about a token is good for everybody who brings it: a storm of connects asks once. */
const CACHE_TTL_MS = 5000;
const CACHE_ENTRIES = 20_000;

/** Whose the token is, and what chats that user is in. */
const REQUESTS_PER_RECHECK = 2;

/** Within this time everybody is asked about again after something was missed, unless that would be too many requests. */
const MISSED_RECHECK_MS = 10_000;

/** When, by {@link Sessions.#refusals}, and why a token was refused or a user signed out. */
interface Refusal {
  readonly at: number;
  readonly reason: Unauthenticated;
}

/** A token, and who brings it: nobody where it is one that is known. */
interface Question {
  readonly token: string;
  readonly source: TokenSource | undefined;
}

/** What has to happen when connections come and go. Neither may throw. */
export interface SessionListener {
  opened(session: Session): void;
  closed(session: Session): void;
}

interface SessionsOptions {
  readonly api: ChatApi;
  readonly questions: Questions;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly guard: TokenGuard;
  /** Of users whose lists of chats are long. */
  readonly turns: FairTurns;
  /** Every token with an open session is asked about again within this time, unless that would be too many requests. */
  readonly recheckIntervalMs: number;
  /** Requests a second to the REST API, at most, for asking again: with more tokens the interval stretches. */
  readonly recheckBudget: number;
  readonly log: Log;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #listeners: SessionListener[] = [];
  readonly #credentials = new Map<string, Credential>();
  readonly #watch: CredentialWatch;
  readonly #profiles: LRUCache<string, Me, Question>;
  readonly #chatLists: LRUCache<string, ChatList, Identity>;
  /**
   * When tokens were found to be refused and users signed out, by {@link #refusals}: a session that was being opened then has
   * old answers.
   */
  readonly #refusedAt = createBoundedCache<string, Refusal>({ max: CACHE_ENTRIES });
  #refusals = 0;
  readonly #refreshing = new OneAtATime<Session>();
  readonly #purge: NodeJS.Timeout;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#watch = this.#createWatch();
    const { api, directory, guard } = options;
    // `fetch` of the cache shares one question between all who ask at once; what rejects is not kept.
    // An entry deleted meanwhile still answers those who wait for it.
    const bounds = { max: CACHE_ENTRIES, ttl: CACHE_TTL_MS, ignoreFetchAbort: true };
    this.#profiles = createBoundedCache<string, Me, Question>({
      ...bounds,
      fetchMethod: async (hash, _stale, { context: { token, source } }) => {
        const ask = (): ReturnType<ChatApi["profile"]> => api.profile(token);
        // Who has an open session is known.
        const isKnown = source === undefined || this.#credentials.has(hash);
        const { userId, name, email, role } = await (isKnown ? ask() : guard.ask(hash, source, ask));
        return { id: userId, name, email, role: role ?? null };
      },
    });
    this.#chatLists = createBoundedCache<string, ChatList, Identity>({
      ...bounds,
      fetchMethod: (_hash, _stale, { context: identity }) => listChats(options, identity),
    });
    directory.observe({
      joined: () => undefined,
      // What was cached still says that they are in it.
      left: (viewer) => {
        for (const { tokenHash } of viewer.sessions) this.#chatLists.delete(tokenHash);
      },
    });
    // What is out of date is of no more use, and a list of chats is long.
    this.#purge = setInterval(() => {
      this.#profiles.purgeStale();
      this.#chatLists.purgeStale();
      guard.purge();
    }, CACHE_TTL_MS);
    this.#purge.unref();
  }

  observe(listener: SessionListener): void {
    this.#listeners.push(listener);
  }

  /** The number of open sessions, and of the tokens that they were opened with. */
  get size(): { sessions: number; tokens: number } {
    let sessions = 0;
    for (const credential of this.#credentials.values()) sessions += credential.sessions.size;
    return { sessions, tokens: this.#credentials.size };
  }

  /**
   * Whose token that is. Where the REST API refuses it, its sessions end. An answer to a question from before a sign-out is not believed.
   *
   * @param source who brings it; undefined where it is asked about again.
   * @throws GatewayError UNAUTHENTICATED where there is none or the REST API refuses it; UPSTREAM_… where it cannot be asked.
   */
  async identify(token: string | undefined, source: TokenSource | undefined): Promise<Identity> {
    if (token === undefined || token === "") throw new Unauthenticated("Token missing");
    const tokenHash = hashToken(token);
    if (source && this.#options.guard.isRefused(tokenHash)) throw new Unauthenticated("Token refused");
    const begunAt = this.#refusals;
    try {
      const user = await this.#profiles.fetch(tokenHash, { context: { token, source } });
      if (!user) throw new Error("the profile cache answered nothing");
      return this.#requireUnrefused({ token, tokenHash, user }, begunAt);
    } catch (error) {
      // One that was not asked about has no sessions.
      if (!hasCode(error, "UNAUTHENTICATED") || error instanceof Unauthenticated) throw error;
      const refusal = new Unauthenticated("Token refused");
      this.#end(tokenHash, refusal);
      throw refusal;
    }
  }

  /**
   * Opens a session: profile, then memberships. Undefined where nobody waits for it any more when the REST API has answered:
   * a socket that closed meanwhile leaves nothing behind.
   *
   * @throws GatewayError as {@link identify}.
   */
  async open(token: string | undefined, source: TokenSource, isWanted: () => boolean): Promise<Session | undefined> {
    const begunAt = this.#refusals;
    const identity = await this.identify(token, source);
    const list = await this.#listOf(identity);
    if (!isWanted()) return undefined;
    this.#requireUnrefused(identity, begunAt);
    const session = new Session(identity, this.#options.directory);
    const isAdmitted = (): boolean => {
      // That may have taken a while.
      this.#requireUnrefused(identity, begunAt);
      return isWanted();
    };
    if (!(await learnChats(this.#options.directory, session, list, isAdmitted))) return undefined;
    this.#hold(session);
    for (const listener of this.#listeners) listener.opened(session);
    return session;
  }

  /** Forgets a session whose connection is gone. Harmless when repeated. */
  close(session: Session): void {
    if (!this.#release(session)) return;
    for (const listener of this.#listeners) listener.closed(session);
    this.#options.directory.detach(session);
  }

  /**
   * Gives a running session a fresh token of the same user. What runs goes on; what is asked of the REST API later carries it. Calls for one
   * session wait for each other; refused tokens count for its user and for `address`.
   *
   * @throws GatewayError UNAUTHENTICATED where the token is refused or the session has ended meanwhile; BAD_USER_INPUT where it
   * is somebody else's; UPSTREAM_…
   */
  refresh(session: Session, token: string, address: string | undefined): Promise<Me> {
    return this.#refreshing.run(session, () => this.#refresh(session, token, address));
  }

  async #refresh(session: Session, token: string, address: string | undefined): Promise<Me> {
    // Nobody asks for one whose connection is gone.
    if (!this.#credentials.get(session.tokenHash)?.sessions.has(session)) throw new Unauthenticated("Token refused");
    const begunAt = this.#refusals;
    const identity = await this.identify(token, { address, userId: session.user.id });
    this.#requireUnrefused(identity, begunAt);
    if (identity.user.id !== session.user.id) throw badInput("token", "This token belongs to somebody else.");
    if (session.ended) throw session.ended;
    // A session that was closed meanwhile is held by nothing, and stays so.
    if (!this.#release(session)) throw new Unauthenticated("Token refused");
    session.renew(identity);
    this.#hold(session);
    return identity.user;
  }

  /**
   * Asks again whose token this is, since the REST API has just refused it, and ends the token's sessions if it refuses it here
   * as well. Never rejects: an unreachable REST API ends nothing.
   */
  async check(identity: Pick<Identity, "token" | "tokenHash">): Promise<void> {
    const { token, tokenHash } = identity;
    this.#profiles.delete(tokenHash);
    this.#chatLists.delete(tokenHash);
    try {
      await this.identify(token, undefined);
    } catch (error) {
      if (hasCode(error, "UNAUTHENTICATED")) return;
      this.#options.log.warn({ err: error }, "a session could not be checked");
    }
  }

  /** Ends every session of a user: the backend says that they have signed out. */
  signOut(userId: string): void {
    const reason = new Unauthenticated("Signed out");
    this.#noteRefusal(userId, reason);
    for (const [tokenHash, user] of this.#profiles.entries()) {
      if (user.id !== userId) continue;
      this.#profiles.delete(tokenHash);
      this.#chatLists.delete(tokenHash);
      this.#end(tokenHash, reason);
    }
    for (const session of this.#options.directory.viewer(userId)?.sessions ?? []) session.end(reason);
  }

  /** Sign-outs and changes of membership have gone by unheard: the REST API is asked about everybody, soon, but not at once. */
  recheckAll(): void {
    const withinMs = Math.max(Math.min(MISSED_RECHECK_MS, this.#options.recheckIntervalMs), this.#affordableMs);
    for (const credential of this.#credentials.values()) credential.recheckWithin(withinMs);
  }

  /** Within what time every token is asked about again, as things are now: so long may a sign-out go unnoticed that nobody tells of. */
  get recheckWithinMs(): number {
    return Math.max(this.#options.recheckIntervalMs, this.#affordableMs);
  }

  /** In what time the budget allows to ask about every token. Waits are half of the interval at least, three quarters in the middle. */
  get #affordableMs(): number {
    return (this.#credentials.size * REQUESTS_PER_RECHECK * 1000) / (0.75 * this.#options.recheckBudget);
  }

  /** Stops every watch. */
  shutDown(): void {
    clearInterval(this.#purge);
    for (const credential of this.#credentials.values()) credential.close();
  }

  async #listOf(identity: Identity): Promise<ChatList> {
    const list = await this.#chatLists.fetch(identity.tokenHash, { context: identity });
    if (!list) throw new Error("the membership cache answered nothing");
    return list;
  }

  #createWatch(): CredentialWatch {
    const { clock, log } = this.#options;
    return {
      clock,
      recheckIntervalMs: () => this.recheckWithinMs,
      onExpiry: ({ tokenHash }) => {
        this.#profiles.delete(tokenHash);
        this.#end(tokenHash, new Unauthenticated("Token expired"));
      },
      onRecheck: (credential) => {
        // On nobody's behalf, though somebody's connecting has led to it.
        onBehalfOf(undefined, () => this.#recheck(credential)).catch((error: unknown) =>
          log.error({ err: error }, "a session could not be checked"),
        );
      },
    };
  }

  #hold(session: Session): void {
    let credential = this.#credentials.get(session.tokenHash);
    if (!credential) {
      credential = new Credential(session.token, session.tokenHash, this.#watch);
      this.#credentials.set(session.tokenHash, credential);
    }
    credential.sessions.add(session);
  }

  /** Whether the session was held. */
  #release(session: Session): boolean {
    const credential = this.#credentials.get(session.tokenHash);
    if (!credential?.sessions.delete(session)) return false;
    if (credential.sessions.size === 0) {
      credential.close();
      this.#credentials.delete(session.tokenHash);
    }
    return true;
  }

  /** Whose the token is, and, since the backend need not have told, what chats that user is in. */
  async #recheck(credential: Credential): Promise<void> {
    await this.check(credential);
    // One that has ended is there until its connection is gone.
    const session = [...credential.sessions].find(({ ended }) => !ended);
    if (!session) return;
    try {
      const { chats, askedAt } = await this.#listOf(session);
      await this.#options.directory.replaceInSlices(session.user.id, chats, askedAt);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (hasCode(error, "UNAUTHENTICATED")) await this.check(credential);
      else this.#options.log.warn({ err: error }, "memberships could not be checked");
    }
  }

  #requireUnrefused(identity: Identity, begunAt: number): Identity {
    const { tokenHash, user } = identity;
    const refusals = [this.#refusedAt.get(tokenHash), this.#refusedAt.get(user.id)];
    const refusal = refusals.find((found) => found !== undefined && found.at >= begunAt);
    if (!refusal) return identity;
    // Nor is anybody else to be given these answers.
    this.#profiles.delete(tokenHash);
    this.#chatLists.delete(tokenHash);
    throw refusal.reason;
  }

  #noteRefusal(key: string, reason: Unauthenticated): void {
    this.#refusedAt.set(key, { at: this.#refusals++, reason });
  }

  #end(tokenHash: string, reason: Unauthenticated): void {
    this.#noteRefusal(tokenHash, reason);
    for (const session of this.#credentials.get(tokenHash)?.sessions ?? []) session.end(reason);
  }
}
