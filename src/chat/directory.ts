/**
 * Who is in which chat, as far as it concerns the people who are connected to this process. Kept current by every answer of the
 * REST API that names participants; forgotten with the last connection that it concerns.
 */
import { createBoundedCache } from "../bounded-cache.ts";
import { Backlog } from "../backlog.ts";
import type { Position } from "../bus/position.ts";
import { FairTurns, ITEMS_PER_PIECE } from "../fair-turns.ts";
import { SmallSet } from "../small-set.ts";
import type { ChatDetails } from "./events/chat-changed.ts";
import type { Chat, User } from "./model.ts";
import { areSame, rename, withNames } from "./participants.ts";
import type { KnownChat, Session, Viewer } from "./session.ts";
import { UnknownChats } from "./unknown-chats.ts";

/** Notified of memberships as they take effect and end. */
export interface MembershipListener {
  /**
   * @param since where the log has the news, if it came that way: what was published after it is for the viewer.
   * @returns when it has taken effect, where that takes a while; never rejects.
   */
  joined(viewer: Viewer, chatId: string, since: Position | undefined): Promise<void> | void;
  left(viewer: Viewer, chatId: string): void;
  /** These users, connected or not, are in a chat now that was known before: the others may want to know about them. */
  added?(chat: KnownChat, users: readonly User[]): void;
  /** Who is in a chat is no longer who was. */
  membersChanged?(chat: KnownChat): void;
  /** What the backend says of a chat beside its members. */
  described?(chatId: string, details: ChatDetails): void;
  /** The REST API has listed every chat of a viewer, as it was asked at `askedAt`, a mark of {@link Directory.now}. */
  listed?(viewer: Viewer, chats: readonly Chat[], askedAt: number): void;
}

/** Refusals and departures that are remembered. */
const REMEMBERED = 20_000;

/** The least time between two marks; a number of this size has room for it. */
const TICK_MS = 0.001;

export class Directory {
  readonly #viewers = new Map<string, Viewer>();
  readonly #chats = new Map<string, KnownChat>();
  /** The known chats of each participant, connected or not: whom that user's presence concerns. */
  readonly #chatsByParticipant = new Map<string, SmallSet<KnownChat>>();
  readonly #listeners = new Set<MembershipListener>();
  /** What listeners are still about. */
  readonly #joining = new Set<Promise<void>>();
  /** By user and chat: the chat's own record refuses the user. A list that has the chat nevertheless is not believed. */
  readonly #refused = createBoundedCache<string, true>({ max: REMEMBERED });
  readonly #unknownChats = new UnknownChats();
  /** By user and chat: who has left a chat is given nothing of the time after it, whatever is learnt of the chat later. */
  readonly #left = createBoundedCache<string, true>({ max: REMEMBERED });
  /** The chats of viewers who have gone. Until one is forgotten {@link #current} does not find it. */
  readonly #releases = new Backlog();
  readonly #turns: FairTurns;
  #clock = 0;

  /** @param turns of the users whose chats are taken note of. */
  constructor(turns = new FairTurns()) {
    this.#turns = turns;
  }

  /**
   * The present moment in milliseconds since the epoch, later than every mark before. Taken before a question is put to the REST API: an
   * answer to a question from before a change says nothing about the time after it, and does not undo it.
   */
  now(): number {
    this.#clock = Math.max(this.#clock + TICK_MS, Date.now());
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
    return this.#current(chatId);
  }

  /** The display name of a member of a known chat. */
  nameOf(chatId: string, userId: string): string | undefined {
    return this.#current(chatId)?.participants.get(userId)?.name;
  }

  *chatsOf(userId: string): Generator<KnownChat> {
    for (const chat of this.#chatsByParticipant.get(userId) ?? []) if (this.#current(chat.id) === chat) yield chat;
  }

  /** Whether the chat's own record was the last to say of this user, and refused. */
  isRefused(userId: string, chatId: string): boolean {
    return this.#refused.has(memberKey(userId, chatId));
  }

  /**
   * Something was published to a chat. Where nobody here knows it, who learns of it within `ttlMs` gets what its log has after
   * `since`.
   */
  expect(chatId: string, since: Position, ttlMs: number): void {
    if (!this.#current(chatId)) this.#unknownChats.add(chatId, since, ttlMs);
  }

  /** The viewer of a session that opens. */
  attach(session: Session): Viewer {
    const { id: userId } = session.user;
    let viewer = this.#viewers.get(userId);
    if (!viewer) {
      viewer = { userId, sessions: new SmallSet(), chats: new Map() };
      this.#viewers.set(userId, viewer);
      // Somebody else's connection may have told of chats that this user is in.
      for (const chat of this.chatsOf(userId)) this.#join(viewer, chat, undefined);
    }
    viewer.sessions.add(session);
    return viewer;
  }

  /** Forgets a session, and with the last of a user, in slices, all that only concerned them. */
  detach(session: Session): void {
    const { viewer } = session;
    viewer.sessions.delete(session);
    if (viewer.sessions.size > 0 || this.#viewers.get(viewer.userId) !== viewer) return;
    this.#viewers.delete(viewer.userId);
    this.#releases.add(viewer.chats.values(), (chat) => this.#release(viewer, chat));
  }

  /**
   * Takes every chat of a user, asked for at `askedAt`: what is not among them has been left.
   *
   * @returns the chats that were known already, otherwise.
   */
  replace(userId: string, chats: readonly Chat[], askedAt: number): readonly Chat[] {
    const steps = this.#replacing(userId, chats, askedAt);
    let step = steps.next();
    while (!step.done) step = steps.next();
    return step.value;
  }

  /** As {@link replace}, with turns for others in between: some users have thousands. What changes meanwhile is not undone. */
  async replaceInSlices(userId: string, chats: readonly Chat[], askedAt: number): Promise<readonly Chat[]> {
    const steps = this.#replacing(userId, chats, askedAt);
    for (let count = 1; ; count++) {
      const step = steps.next();
      if (step.done) return step.value;
      if (count % ITEMS_PER_PIECE === 0) await this.#turns.next(userId);
    }
  }

  /** A step for each chat. */
  *#replacing(userId: string, chats: readonly Chat[], askedAt: number): Generator<void, readonly Chat[], void> {
    const changed: Chat[] = [];
    for (const chat of chats) {
      const isKnown = this.#current(chat.id) !== undefined;
      if (this.#learn(this.#withoutRefused(chat), askedAt, undefined) && isKnown) changed.push(chat);
      yield;
    }
    const viewer = this.#viewers.get(userId);
    if (!viewer) return changed;
    const listed = new Set(chats.map((chat) => chat.id));
    for (const chat of viewer.chats.values()) {
      if (!listed.has(chat.id) && chat.changedAt <= askedAt) this.leave(userId, chat.id);
    }
    for (const listener of this.#listeners) listener.listed?.(viewer, chats, askedAt);
    return changed;
  }

  /**
   * Takes what the REST API said of a chat when asked at `askedAt`, or says of its own accord now.
   *
   * @param since where the log has it, if it came that way.
   * @returns whether that is news.
   */
  learn(chat: Pick<Chat, "id" | "participants">, askedAt: number, since?: Position): boolean {
    this.#noteRefusals(chat, askedAt);
    return this.#learn(chat, askedAt, since);
  }

  /** A list is no record: whom the record has refused, no list takes in, not even somebody else's. */
  #withoutRefused(chat: Chat): Chat {
    if (this.#refused.size === 0 || !chat.participants.some(({ id }) => this.isRefused(id, chat.id))) return chat;
    return { ...chat, participants: chat.participants.filter(({ id }) => !this.isRefused(id, chat.id)) };
  }

  /** What a chat's record says of its members, unless it is from before a change. */
  #noteRefusals({ id: chatId, participants }: Pick<Chat, "id" | "participants">, askedAt: number): void {
    const known = this.#current(chatId);
    if (known && known.changedAt > askedAt) return;
    const members = new Set(participants.map(({ id }) => id));
    if (this.#refused.size > 0) for (const id of members) this.#refused.delete(memberKey(id, chatId));
    for (const id of known?.participants.keys() ?? []) {
      if (!members.has(id)) this.#refused.set(memberKey(id, chatId), true);
    }
  }

  #learn(chat: Pick<Chat, "id" | "participants">, askedAt: number, since: Position | undefined): boolean {
    const current = this.#current(chat.id);
    // Before anything is made of the participants: each of a thousand members who connect lists all of them.
    if (current && current.changedAt > askedAt) return false;
    if (current && areSame(current.participants, chat.participants)) {
      // The API may have different names for different viewers: lists are notified of those in the backend's events alone.
      if (rename(current, chat.participants) && since !== undefined) this.#noteMembers(current);
      return false;
    }
    const participants = withNames(chat.participants, current?.participants);
    const viewers = [...participants.keys()].flatMap((id) => this.#viewers.get(id) ?? []);
    const known = current ?? (viewers.length > 0 ? this.#add(chat.id) : undefined);
    if (!known) return false;
    const isNew = known.participants.size === 0;
    const added = [...participants.values()].filter(({ id }) => !known.participants.has(id));
    this.#setParticipants(known, participants);
    const published = this.#unknownChats.take(chat.id);
    for (const viewer of viewers) {
      if (known.viewers.has(viewer)) continue;
      const isBack = this.#left.size > 0 && this.#left.delete(memberKey(viewer.userId, chat.id));
      this.#join(viewer, known, published === undefined || isBack ? since : earlierOf(since, published));
    }
    for (const viewer of known.viewers) if (!participants.has(viewer.userId)) this.#leave(viewer, known);
    // The members of a chat that is new have joined it, and learn about all of it.
    if (added.length > 0 && !isNew) for (const listener of this.#listeners) listener.added?.(known, added);
    this.#noteMembers(known);
    return true;
  }

  #noteMembers(chat: KnownChat): void {
    for (const listener of this.#listeners) listener.membersChanged?.(chat);
  }

  /** The chat is gone. */
  remove(chatId: string): void {
    const known = this.#current(chatId);
    if (!known) return;
    const viewers = [...known.viewers];
    this.#setParticipants(known, new Map());
    for (const viewer of viewers) this.#leave(viewer, known);
  }

  /** The chat's own record has this user, after it had refused them. */
  confirm(userId: string, chatId: string): void {
    this.#refused.delete(memberKey(userId, chatId));
  }

  /** The chat's own record refuses this user. */
  refuse(userId: string, chatId: string): void {
    this.#refused.set(memberKey(userId, chatId), true);
    this.leave(userId, chatId);
  }

  /** Ends a membership at once. */
  leave(userId: string, chatId: string): void {
    const known = this.#current(chatId);
    if (!known?.participants.has(userId)) return;
    const participants = new Map(known.participants);
    participants.delete(userId);
    this.#setParticipants(known, participants);
    const viewer = this.#viewers.get(userId);
    if (viewer) this.#leave(viewer, known);
    this.#noteMembers(known);
  }

  /** The backend says what the chat is like. */
  describe(chatId: string, details: ChatDetails): void {
    if (this.#current(chatId)) for (const listener of this.#listeners) listener.described?.(chatId, details);
  }

  /** Where somebody who is connected is in it. One that only concerned viewers who have gone is forgotten now. */
  #current(chatId: string): KnownChat | undefined {
    const chat = this.#chats.get(chatId);
    if (!chat) return undefined;
    for (const viewer of chat.viewers) {
      if (this.#viewers.get(viewer.userId) === viewer) return chat;
      this.#release(viewer, chat);
    }
    return undefined;
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
      else this.#chatsByParticipant.set(id, new SmallSet<KnownChat>().add(chat));
    }
    chat.participants = participants;
    chat.changedAt = this.now();
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
    // Gone: its chats stay as they were when it went, and are forgotten one after the other.
    if (this.#viewers.get(viewer.userId) !== viewer) return this.#release(viewer, chat);
    viewer.chats.delete(chat.id);
    this.#left.set(memberKey(viewer.userId, chat.id), true);
    for (const listener of this.#listeners) listener.left(viewer, chat.id);
    this.#release(viewer, chat);
  }

  #release(viewer: Viewer, chat: KnownChat): void {
    if (!chat.viewers.delete(viewer) || chat.viewers.size > 0) return;
    this.#setParticipants(chat, new Map());
    this.#chats.delete(chat.id);
  }
}

function earlierOf(one: Position | undefined, other: Position): Position {
  return one !== undefined && one < other ? one : other;
}

function memberKey(userId: string, chatId: string): string {
  return JSON.stringify([userId, chatId]);
}
