/** Opens and closes sessions: asks the REST API who somebody is and what chats they are in. */
import { LRUCache } from "lru-cache";
import { GatewayError, hasCode } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ChatApi } from "../upstream/chat-api.ts";
import type { Directory } from "./directory.ts";
import { toChat, type Chat, type Me } from "./model.ts";
import { hashToken, Session, type Identity } from "./session.ts";

/** How long an answer about a token is good for everybody who brings it: a storm of connects asks once. */
const CACHE_TTL_MS = 5000;
const CACHE_ENTRIES = 20_000;

/** Every chat of a user, and when the question was put. */
interface ChatList {
  readonly chats: readonly Chat[];
  readonly askedAt: number;
}

/** What has to happen when connections come and go. Neither may throw. */
export interface SessionListener {
  opened(session: Session): void;
  closed(session: Session): void;
}

export class Sessions {
  readonly #directory: Directory;
  readonly #log: Log;
  readonly #listeners: SessionListener[] = [];
  readonly #byToken = new Map<string, Set<Session>>();
  readonly #profiles: LRUCache<string, Me, string>;
  readonly #chatLists: LRUCache<string, ChatList, string>;
  /** When tokens were found to be refused, by {@link #refusals}: a session that was being opened then has old answers. */
  readonly #refusedAt = new LRUCache<string, number>({ max: CACHE_ENTRIES });
  #refusals = 0;

  constructor(api: ChatApi, directory: Directory, log: Log) {
    this.#directory = directory;
    this.#log = log;
    // `fetch` of the cache shares one question between all who ask at once; what rejects is not kept.
    // An entry deleted meanwhile still answers those who wait for it.
    const bounds = { max: CACHE_ENTRIES, ttl: CACHE_TTL_MS, ignoreFetchAbort: true };
    this.#profiles = new LRUCache<string, Me, string>({
      ...bounds,
      fetchMethod: async (_hash, _stale, { context: token }) => {
        const { userId, name, email, role } = await api.profile(token);
        return { id: userId, name, email, role: role ?? null };
      },
    });
    this.#chatLists = new LRUCache<string, ChatList, string>({
      ...bounds,
      fetchMethod: async (_hash, _stale, { context: token }) => {
        const askedAt = directory.now();
        return { chats: (await api.chats(token)).map(toChat), askedAt };
      },
    });
    directory.observe({
      joined: () => undefined,
      // What was cached still says that they are in it.
      left: (viewer) => {
        for (const { tokenHash } of viewer.sessions) this.#chatLists.delete(tokenHash);
      },
    });
  }

  observe(listener: SessionListener): void {
    this.#listeners.push(listener);
  }

  /** The number of open sessions, and of the tokens that they were opened with. */
  get size(): { sessions: number; tokens: number } {
    let sessions = 0;
    for (const ofToken of this.#byToken.values()) sessions += ofToken.size;
    return { sessions, tokens: this.#byToken.size };
  }

  /**
   * Whose token that is.
   *
   * @throws GatewayError UNAUTHENTICATED where there is none or the REST API refuses it; UPSTREAM_… where it cannot be asked.
   */
  async identify(token: string | undefined): Promise<Identity> {
    if (token === undefined || token === "") throw new GatewayError("UNAUTHENTICATED");
    const tokenHash = hashToken(token);
    const user = await this.#profiles.fetch(tokenHash, { context: token });
    if (!user) throw new Error("the profile cache answered nothing");
    return { token, tokenHash, user };
  }

  /**
   * Opens a session: profile, then memberships. Undefined where nobody waits for it any more when the REST API has answered:
   * a socket that closed meanwhile leaves nothing behind.
   *
   * @throws GatewayError as {@link identify}.
   */
  async open(token: string | undefined, isWanted: () => boolean): Promise<Session | undefined> {
    const begunAt = this.#refusals;
    const identity = await this.identify(token);
    const list = await this.#chatLists.fetch(identity.tokenHash, { context: identity.token });
    if (!list) throw new Error("the membership cache answered nothing");
    if (!isWanted()) return undefined;
    if ((this.#refusedAt.get(identity.tokenHash) ?? -1) >= begunAt) throw new GatewayError("UNAUTHENTICATED");
    const session = new Session(identity, this.#directory);
    this.#directory.replace(identity.user.id, list.chats, list.askedAt);
    const ofToken = this.#byToken.get(session.tokenHash) ?? new Set();
    this.#byToken.set(session.tokenHash, ofToken.add(session));
    for (const listener of this.#listeners) listener.opened(session);
    return session;
  }

  /** Forgets a session whose connection is gone. Harmless when repeated. */
  close(session: Session): void {
    const ofToken = this.#byToken.get(session.tokenHash);
    if (!ofToken?.delete(session)) return;
    if (ofToken.size === 0) this.#byToken.delete(session.tokenHash);
    for (const listener of this.#listeners) listener.closed(session);
    this.#directory.detach(session);
  }

  /**
   * Asks again whose token this is, since the REST API has just refused it, and ends the token's sessions if it refuses it here
   * as well. Never rejects: an unreachable REST API ends nothing.
   */
  async check({ token, tokenHash }: Identity): Promise<void> {
    this.#profiles.delete(tokenHash);
    this.#chatLists.delete(tokenHash);
    try {
      await this.identify(token);
    } catch (error) {
      if (hasCode(error, "UNAUTHENTICATED")) this.#end(tokenHash, error);
      else this.#log.warn({ err: error }, "a session could not be checked");
    }
  }

  #end(tokenHash: string, reason: GatewayError): void {
    this.#refusedAt.set(tokenHash, this.#refusals++);
    for (const session of this.#byToken.get(tokenHash) ?? []) session.end(reason);
  }
}
