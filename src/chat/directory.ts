/**
 * Who is in which chat, as far as it concerns the people who are connected to this process. Kept current by every answer of the
 * REST API that names participants; forgotten with the last connection that it concerns.
 */
import type { Position } from "../bus/position.ts";
import type { Chat, User } from "./model.ts";
import type { KnownChat, Session, Viewer } from "./session.ts";

/** Hears of memberships as they take effect and end. */
export interface MembershipListener {
  /**
   * @param since where the log has the news, if it came that way: what was published after it is for the viewer.
   * @returns when it has taken effect, where that takes a while; never rejects.
   */
  joined(viewer: Viewer, chatId: string, since: Position | undefined): Promise<void> | void;
  left(viewer: Viewer, chatId: string): void;
  /** Somebody, connected or not, is in a chat now who was not: whom the others may want to know about. */
  added?(chatId: string): void;
}

export class Directory {
  readonly #viewers = new Map<string, Viewer>();
  readonly #chats = new Map<string, KnownChat>();
  /** The known chats of each participant, connected or not: whom that user's presence concerns. */
  readonly #chatsByParticipant = new Map<string, Set<KnownChat>>();
  readonly #listeners = new Set<MembershipListener>();
  /** What listeners are still about. */
  readonly #joining = new Set<Promise<void>>();
  #clock = 0;

  /**
   * A mark of the present moment, taken before a question is put to the REST API. An answer to a question from before a change
   * says nothing about the time after it, and does not undo it.
   */
  now(): number {
    return this.#clock;
  }

  /** Resolves when every membership that is known by now has taken effect. */
  async settled(): Promise<void> {
    await Promise.all(this.#joining);
  }

  observe(listener: MembershipListener): void {
    this.#listeners.add(listener);
  }

  viewer(userId: string): Viewer | undefined {
    return this.#viewers.get(userId);
  }

  /** The chat, where this user is connected and known to be in it. */
  membership(userId: string, chatId: string): KnownChat | undefined {
    return this.#viewers.get(userId)?.chats.get(chatId);
  }

  chat(chatId: string): KnownChat | undefined {
    return this.#chats.get(chatId);
  }

  chatsOf(userId: string): Iterable<KnownChat> {
    return this.#chatsByParticipant.get(userId) ?? [];
  }

  /** The viewer of a session that opens. */
  attach(session: Session): Viewer {
    const { id: userId } = session.user;
    let viewer = this.#viewers.get(userId);
    if (!viewer) {
      viewer = { userId, sessions: new Set(), chats: new Map() };
      this.#viewers.set(userId, viewer);
      // Somebody else's connection may have told of chats that this user is in.
      for (const chat of this.chatsOf(userId)) this.#join(viewer, chat, undefined);
    }
    viewer.sessions.add(session);
    return viewer;
  }

  /** Forgets a session, and with the last of a user all that only concerned them. */
  detach(session: Session): void {
    const { viewer } = session;
    viewer.sessions.delete(session);
    if (viewer.sessions.size > 0 || this.#viewers.get(viewer.userId) !== viewer) return;
    this.#viewers.delete(viewer.userId);
    for (const chat of viewer.chats.values()) this.#release(viewer, chat);
  }

  /**
   * Takes every chat of a user, asked for at `askedAt`: what is not among them has been left.
   *
   * @returns the chats that were known already, otherwise.
   */
  replace(userId: string, chats: readonly Chat[], askedAt: number): readonly Chat[] {
    const changed = chats.filter((chat) => {
      const isKnown = this.#chats.has(chat.id);
      return this.learn(chat, askedAt) && isKnown;
    });
    const viewer = this.#viewers.get(userId);
    if (!viewer) return changed;
    const listed = new Set(chats.map((chat) => chat.id));
    for (const chat of viewer.chats.values()) {
      if (!listed.has(chat.id) && chat.changedAt <= askedAt) this.leave(userId, chat.id);
    }
    return changed;
  }

  /**
   * Takes what the REST API said of a chat when asked at `askedAt`, or says of its own accord now.
   *
   * @param since where the log has it, if it came that way.
   * @returns whether that is news.
   */
  learn(chat: Pick<Chat, "id" | "participants">, askedAt: number, since?: Position): boolean {
    const participants = new Map(chat.participants.map((user) => [user.id, user]));
    const viewers = [...participants.keys()].flatMap((id) => this.#viewers.get(id) ?? []);
    const known = this.#chats.get(chat.id) ?? (viewers.length > 0 ? this.#add(chat.id) : undefined);
    if (!known || known.changedAt > askedAt || sameKeys(known.participants, participants)) return false;
    const isGrown = [...participants.keys()].some((id) => !known.participants.has(id));
    this.#setParticipants(known, participants);
    for (const viewer of viewers) if (!known.viewers.has(viewer)) this.#join(viewer, known, since);
    for (const viewer of known.viewers) if (!participants.has(viewer.userId)) this.#leave(viewer, known);
    if (isGrown) for (const listener of this.#listeners) listener.added?.(chat.id);
    return true;
  }

  /** The chat is gone. */
  remove(chatId: string): void {
    const known = this.#chats.get(chatId);
    if (known) for (const userId of known.participants.keys()) this.leave(userId, chatId);
  }

  /** Ends a membership at once. */
  leave(userId: string, chatId: string): void {
    const known = this.#chats.get(chatId);
    if (!known?.participants.has(userId)) return;
    const participants = new Map(known.participants);
    participants.delete(userId);
    this.#setParticipants(known, participants);
    const viewer = this.#viewers.get(userId);
    if (viewer) this.#leave(viewer, known);
  }

  #add(chatId: string): KnownChat {
    const chat: KnownChat = { id: chatId, participants: new Map(), viewers: new Set(), changedAt: 0 };
    this.#chats.set(chatId, chat);
    return chat;
  }

  #setParticipants(chat: KnownChat, participants: ReadonlyMap<string, User>): void {
    for (const id of chat.participants.keys()) {
      const chats = this.#chatsByParticipant.get(id);
      if (participants.has(id) || !chats?.delete(chat) || chats.size > 0) continue;
      this.#chatsByParticipant.delete(id);
    }
    for (const id of participants.keys()) {
      const chats = this.#chatsByParticipant.get(id);
      if (chats) chats.add(chat);
      else this.#chatsByParticipant.set(id, new Set([chat]));
    }
    chat.participants = participants;
    chat.changedAt = ++this.#clock;
  }

  #join(viewer: Viewer, chat: KnownChat, since: Position | undefined): void {
    chat.viewers.add(viewer);
    viewer.chats.set(chat.id, chat);
    for (const listener of this.#listeners) {
      const joining = listener.joined(viewer, chat.id, since);
      if (!joining) continue;
      this.#joining.add(joining);
      void joining.then(() => this.#joining.delete(joining));
    }
  }

  #leave(viewer: Viewer, chat: KnownChat): void {
    viewer.chats.delete(chat.id);
    for (const listener of this.#listeners) listener.left(viewer, chat.id);
    this.#release(viewer, chat);
  }

  #release(viewer: Viewer, chat: KnownChat): void {
    chat.viewers.delete(viewer);
    if (chat.viewers.size > 0) return;
    this.#setParticipants(chat, new Map());
    this.#chats.delete(chat.id);
  }
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}
