/** Decides who may do what in which chat. The one place that does. */
import type { LRUCache } from "lru-cache";
import { createBoundedCache } from "../bounded-cache.ts";
import { GatewayError, hasCode } from "../errors.ts";
import type { FairTurns } from "../fair-turns.ts";
import type { Log } from "../log.ts";
import type { Announcement, Announcements } from "./announcements.ts";
import type { Directory } from "./directory.ts";
import { isIn, listChats, type ChatList } from "./chat-list.ts";
import { toChat, type Chat, type User } from "./model.ts";
import type { Questions } from "./questions.ts";
import { Session, type Identity } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** How long an answer about a chat is good for somebody who holds no connection. */
const CACHE_TTL_MS = 5000;
const CACHE_ENTRIES = 20_000;
/** How often a chat is asked for that changes meanwhile. */
const MAX_QUESTIONS = 3;

/** A chat that the asker is in. */
export interface Membership {
  readonly participants: ReadonlyMap<string, User>;
}

interface AccessOptions {
  readonly questions: Questions;
  readonly directory: Directory;
  readonly sessions: Sessions;
  readonly announcements: Announcements;
  /** Display names by user, which answers of the REST API are added to. */
  readonly names: LRUCache<string, string>;
  /** Of users whose lists of chats are long. */
  readonly turns: FairTurns;
  readonly log: Log;
}

export class Access {
  readonly #questions: Questions;
  readonly #directory: Directory;
  readonly #sessions: Sessions;
  readonly #announcements: Announcements;
  readonly #names: LRUCache<string, string>;
  readonly #turns: FairTurns;
  readonly #log: Log;
  /** Memberships of those who are not connected, by token and chat. */
  readonly #memberships = createBoundedCache<string, Membership>({ max: CACHE_ENTRIES, ttl: CACHE_TTL_MS });

  constructor({ questions, directory, sessions, announcements, names, turns, log }: AccessOptions) {
    this.#questions = questions;
    this.#directory = directory;
    this.#sessions = sessions;
    this.#announcements = announcements;
    this.#names = names;
    this.#turns = turns;
    this.#log = log;
  }

  /** What is asked on somebody's behalf from now on tells of everything that has happened by now. @returns when that is. */
  askAnew({ token }: Identity): number {
    this.#questions.askAnew(token);
    return this.#directory.now();
  }

  /**
   * Asks the REST API for a chat, and takes note of who is in it.
   *
   * @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async fetchChat(identity: Identity, chatId: string): Promise<Chat> {
    return this.#watch(identity, chatId, async () => {
      const { answer, askedAt } = await this.#questions.chat(identity.token, chatId);
      const chat = toChat(answer);
      if (chat.id !== chatId) {
        const cause = new Error("GET /chats/:chatId: answered with another chat");
        throw new GatewayError("UPSTREAM_UNAVAILABLE", { cause });
      }
      if (this.#directory.learn(chat, askedAt)) this.#announceMembers(chat);
      // A backend that answers outsiders as well does not make them members.
      if (!isIn(chat, identity.user.id)) throw new GatewayError("NOT_PARTICIPANT");
      this.#noteNames(chat);
      return chat;
    });
  }

  /** Every chat of somebody, as the REST API lists them, and takes note of who is in them. */
  async fetchChats(identity: Identity): Promise<ChatList> {
    const parts = { questions: this.#questions, directory: this.#directory, turns: this.#turns };
    const ask = (): Promise<ChatList> => listChats(parts, identity);
    const { chats, askedAt } = await this.call(identity, undefined, ask);
    const changed = await this.#directory.replaceInSlices(identity.user.id, chats, askedAt);
    for (const chat of changed) this.#announceMembers(chat);
    chats.forEach((chat) => this.#noteNames(chat));
    return { chats, askedAt };
  }

  #noteNames({ participants }: Chat): void {
    for (const { id, name } of participants) this.#names.set(id, name);
  }

  /**
   * Resolves where this is a member of the chat; a chat that is not known yet, created after the connection, is asked for.
   *
   * @throws GatewayError NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
   */
  async requireMember(identity: Identity, chatId: string): Promise<Membership> {
    const key = `${identity.tokenHash} ${chatId}`;
    for (let attempt = 0; attempt < MAX_QUESTIONS; attempt++) {
      // For a connected user the directory alone decides: it is notified of removals, a cached answer is not.
      const isConnected = (): boolean => this.#directory.viewer(identity.user.id) !== undefined;
      const known =
        this.#directory.membership(identity.user.id, chatId) ??
        (isConnected() ? undefined : this.#memberships.get(key));
      if (known) return known;
      const chat = await this.fetchChat(identity, chatId);
      const learnt = this.#directory.membership(identity.user.id, chatId);
      if (learnt) return learnt;
      // The chat changed while the question was under way: the answer says nothing about now.
      if (isConnected()) {
        this.askAnew(identity);
        continue;
      }
      const membership = { participants: new Map(chat.participants.map((user) => [user.id, user])) };
      this.#memberships.set(key, membership);
      return membership;
    }
    throw new GatewayError("NOT_PARTICIPANT");
  }

  /**
   * Which of these users share a chat with somebody, who is one of them.
   *
   * @param list asks for every chat of somebody who is not connected.
   * @throws whatever `list` rejects with.
   */
  async acquaintances(
    { user }: Identity,
    userIds: readonly string[],
    list: () => Promise<readonly Chat[]>,
  ): Promise<ReadonlySet<string>> {
    const viewer = this.#directory.viewer(user.id);
    if (!viewer) return new Set([user.id, ...(await list()).flatMap((chat) => chat.participants.map(({ id }) => id))]);
    const isShared = (userId: string): boolean => {
      for (const { id } of this.#directory.chatsOf(userId)) if (viewer.chats.has(id)) return true;
      return userId === user.id;
    };
    return new Set(userIds.filter(isShared));
  }

  /**
   * Asks who is in a chat before an event of `identity` goes out to it, where it is not known that this is a member: others may be
   * connected who do not know of the chat either, created after they came. Undefined where it is known. Never rejects: the event is
   * about what has been done, whatever comes of this.
   */
  learnMembers(identity: Identity, chatId: string): Promise<void> | undefined {
    const isKnown = this.#directory.chat(chatId)?.participants.has(identity.user.id);
    return isKnown ? undefined : this.#learn(identity, chatId);
  }

  async #learn(identity: Identity, chatId: string): Promise<void> {
    try {
      await this.requireMember(identity, chatId);
      await this.#directory.settled();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#log.debug({ err: error, chatId }, "the members of a chat could not be asked for");
    }
  }

  /**
   * Calls the REST API for somebody. A refusal is an occasion to look again at what was believed: 401 has the session checked,
   * 403 and 404 of a chat the membership.
   */
  async call<T>(identity: Identity, chatId: string | undefined, request: () => Promise<T>): Promise<T> {
    // What a session had queued when it ended is not done any more.
    if (identity instanceof Session && identity.ended) throw identity.ended;
    try {
      return await request();
    } catch (error) {
      if (hasCode(error, "UNAUTHENTICATED")) await this.#sessions.check(identity);
      if (chatId !== undefined && hasCode(error, "NOT_PARTICIPANT", "NOT_FOUND")) await this.#recheck(identity, chatId);
      throw error;
    }
  }

  /** As {@link call}, for a request that asks for the chat itself, whose refusal needs no second question. */
  async #watch<T>(identity: Identity, chatId: string, request: () => Promise<T>): Promise<T> {
    try {
      return await this.call(identity, undefined, request);
    } catch (error) {
      if (hasCode(error, "NOT_PARTICIPANT", "NOT_FOUND")) this.#forget(identity, chatId);
      throw error;
    }
  }

  /** Never rejects: the client receives the refusal that led here. */
  async #recheck(identity: Identity, chatId: string): Promise<void> {
    this.#memberships.delete(`${identity.tokenHash} ${chatId}`);
    try {
      await this.fetchChat(identity, chatId);
    } catch (error) {
      if (!hasCode(error, "NOT_PARTICIPANT", "NOT_FOUND", "UNAUTHENTICATED")) {
        this.#log.warn({ err: error, chatId }, "a membership could not be checked");
      }
    }
  }

  #forget(identity: Identity, chatId: string): void {
    const userId = identity.user.id;
    this.#memberships.delete(`${identity.tokenHash} ${chatId}`);
    this.#directory.refuse(userId, chatId);
    this.#announce({ type: "membership.ended", chatId, userId });
  }

  #announceMembers({ id, participants, title, updatedAt }: Chat): void {
    this.#announce({ type: "chat.changed", chatId: id, participants, details: { title, updatedAt } });
  }

  /** Here it has taken effect; the other instances would find out by themselves, later. */
  #announce(event: Announcement): void {
    this.#announcements
      .announce(event)
      .catch((error: unknown) => this.#log.warn({ err: error }, "a change of membership could not be announced"));
  }
}
