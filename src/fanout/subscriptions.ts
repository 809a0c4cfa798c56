/** Admission: who may subscribe to what, and where a subscription begins. */
import { whereReachable, type EventLog, type StreamPosition } from "../bus/bus.ts";
import { earlier, type Position } from "../bus/position.ts";
import type { Access } from "../chat/access.ts";
import type { Chats } from "../chat/chats.ts";
import {
  positionOfInstant,
  PUBLICATION_MARGIN_MS,
  requirePast,
  type CursorPosition,
  type Cursors,
} from "../chat/cursor.ts";
import type { Directory } from "../chat/directory.ts";
import type { BusEvent, DurableChatEvent } from "../chat/events/registry.ts";
import { chatTopic } from "../chat/events/topics.ts";
import type { TypingChanged } from "../chat/events/typing-changed.ts";
import type { Presence } from "../chat/presence.ts";
import type { PresenceAudience } from "../chat/presence-audience.ts";
import type { KnownChat, Session } from "../chat/session.ts";
import type { Typing } from "../chat/typing.ts";
import { badInput, GatewayError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { PastSources } from "../recovery/past.ts";
import type { Asker, ResumePoint } from "../recovery/resume-point.ts";
import type { ResumePoints } from "../recovery/resume.ts";
import { ChatListStream } from "./chat-list-stream.ts";
import { DurableStream, type StreamStart } from "./durable-stream.ts";
import type { Fanout } from "./fanout.ts";
import { PresenceEvents } from "./presence-events.ts";
import { StateStream, type Snapshot, type StateKind } from "./state-stream.ts";

/** How a subscription continues after its connection was lost, where the transport has a way. */
export interface Resumable extends Asker {
  /** What the subscription is known by when its client comes back. */
  key(): string;
  /** Whether its client was told on this connection that its position has expired: then it begins anew. */
  readonly knowsExpiry: boolean;
  /** Its client is being told. */
  noteExpiry(): void;
  /** Whether its connection is still there. */
  readonly isConnected: boolean;
  /** Whether somebody still waits for the subscription. */
  readonly isWanted: boolean;
  /** The connection tells it from now on what the client has received. */
  hold(point: ResumePoint): void;
}

export interface DurableArguments {
  /** Undefined: every chat of the viewer. */
  readonly chatId: string | undefined;
  readonly resumable: Resumable | undefined;
}

/** What decides where a durable subscription begins. */
interface StartParts {
  readonly resumable: Resumable | undefined;
  readonly point: ResumePoint | undefined;
  readonly cursor: CursorPosition | undefined;
  /** Where it is live. */
  readonly position: () => StreamPosition;
}

interface SubscriptionsOptions {
  readonly access: Access;
  readonly chats: Chats;
  readonly cursors: Cursors;
  readonly directory: Directory;
  readonly presence: Presence;
  readonly presenceAudience: PresenceAudience;
  readonly typing: Typing;
  readonly fanout: Fanout;
  readonly sources: PastSources & { readonly log: EventLog<BusEvent> };
  readonly resumePoints: ResumePoints;
  readonly log: Log;
}

/**
 * Each method resolves to a stream that receives events already.
 *
 * All reject with a GatewayError: NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #presenceEvents = new PresenceEvents();
  /** Others only. */
  readonly #typing: StateKind<"typing.changed"> = {
    type: "typing.changed",
    takes: ({ change }, { userId }) => change.user.id !== userId,
    stateOf: ({ change }) => ({ key: `${change.chatId} ${change.user.id}`, value: change.isTyping }),
    snapshot: (session, chatId) => this.#typists(session, chatId),
  };
  /** Others only. */
  readonly #presence: StateKind<"presence.changed"> = {
    type: "presence.changed",
    takes: ({ presence }, { userId }) => presence.user.id !== userId,
    stateOf: ({ presence }) => ({ key: presence.user.id, value: presence.online }),
    snapshot: (session, chatId) => this.#presences(session, chatId),
  };

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /**
   * @param after a message's cursor: everything newer comes first. Without it a client that comes back from a lost connection gets what it
   * missed first.
   * @throws GatewayError BAD_USER_INPUT, CURSOR_EXPIRED too
   */
  async messageAdded(
    session: Session,
    { chatId, resumable, after }: DurableArguments & { readonly after: string | undefined },
  ): Promise<DurableStream<"message.created">> {
    const cursor = after === undefined ? undefined : this.#options.cursors.parse(after, "after");
    if (cursor) requirePast(cursor, "after");
    if (cursor && chatId !== undefined && !cursor.isOfChat(chatId)) {
      throw badInput("after", "This cursor belongs to another chat.");
    }
    return this.#openDurable("message.created", session, { chatId, resumable }, cursor);
  }

  /** Events of any durable type. A client that comes back gets what it missed first. @throws GatewayError CURSOR_EXPIRED too */
  async durable<Type extends DurableChatEvent["type"]>(
    type: Type,
    session: Session,
    options: DurableArguments,
  ): Promise<DurableStream<Type>> {
    return this.#openDurable(type, session, options, undefined);
  }

  /** Others only; who is typing now comes first. */
  async typingChanged(session: Session, chatId: string | undefined): Promise<StateStream<"typing.changed">> {
    return this.#openStates(this.#typing, session, chatId);
  }

  /** Others only; who is online now comes first. */
  async presenceChanged(session: Session, chatId: string | undefined): Promise<StateStream<"presence.changed">> {
    return this.#openStates(this.#presence, session, chatId);
  }

  /** The viewer's list of chats: all of it, then what has changed. */
  async chatsChanged(session: Session): Promise<ChatListStream> {
    const { chats, directory, fanout, sources, log } = this.#options;
    const stream = new ChatListStream({
      subscribers: fanout,
      session,
      records: { all: (viewer) => chats.listAnew(viewer), one: (viewer, chatId) => chats.getAnew(viewer, chatId) },
      turns: sources.turns,
      now: () => directory.now(),
      onError: (error) => log.error({ err: error }, "a chat of a list could not be read"),
    });
    await stream.open();
    return stream;
  }

  async #openDurable<Type extends DurableChatEvent["type"]>(
    type: Type,
    session: Session,
    { chatId, resumable }: DurableArguments,
    cursor: CursorPosition | undefined,
  ): Promise<DurableStream<Type>> {
    const { fanout, sources } = this.#options;
    // Whatever the admission takes, and the bus: should its connection be lost meanwhile, its client gets what is sent from now on.
    const point = resumable && this.#openPoint(resumable, chatId, cursor);
    try {
      await this.#admit(session, chatId);
      const start = (position: () => StreamPosition): Promise<StreamStart> =>
        this.#findStart(session, { resumable, point, cursor, position });
      const spec = { type, session, chatId };
      const stream = new DurableStream<Type>({ subscribers: fanout, spec, sources, start });
      await stream.open();
      point?.begin(stream, stream.startedWith === "new");
      return stream;
    } catch (error) {
      if (resumable?.isConnected) point?.fail();
      throw error;
    }
  }

  #openPoint(resumable: Resumable, chatId: string | undefined, cursor: CursorPosition | undefined): ResumePoint {
    const { sources, resumePoints } = this.#options;
    const since = cursor ? undefined : sources.log.position(chatId === undefined ? [] : [chatTopic(chatId)]);
    const point = resumePoints.open(resumable.key(), resumable, since);
    resumable.hold(point);
    return point;
  }

  async #findStart(session: Session, { resumable, point, cursor, position }: StartParts): Promise<StreamStart> {
    // Before the bus is asked for anything: what is published from now on would come live.
    const here = position();
    // Its client may have come back on another connection, which continues from its position.
    if (resumable?.isConnected === false) throw new GatewayError("UNAUTHENTICATED");
    // Taken over in any case: the former connection must not move it any more.
    const taken = resumable && (await point?.take(cursor ? undefined : here, () => resumable.isWanted));
    // What the client says itself counts for more than what is remembered.
    if (cursor) return { start: "after", cursor, since: here, position: await this.#positionOf(cursor, session) };
    if (taken?.isExpired && resumable?.knowsExpiry === false) {
      resumable.noteExpiry();
      this.#options.sources.starts.add("expired");
      throw new GatewayError("CURSOR_EXPIRED");
    }
    return taken?.found ? { start: "resumed", position: taken.found } : { start: "new" };
  }

  async #openStates<Type extends "typing.changed" | "presence.changed">(
    kind: StateKind<Type>,
    session: Session,
    chatId: string | undefined,
  ): Promise<StateStream<Type>> {
    await this.#admit(session, chatId);
    const stream = new StateStream<Type>(this.#options.fanout, kind, { session, chatId });
    await stream.open();
    return stream;
  }

  async #admit(session: Session, chatId: string | undefined): Promise<void> {
    if (chatId === undefined) return;
    await this.#options.access.requireMember(session, chatId);
    // In one turn with the entry into the room: a viewer who is not in the directory would never be removed from it.
    if (!session.viewer.chats.has(chatId)) throw new GatewayError("NOT_PARTICIPANT");
  }

  /**
   * A position before everything that is newer than a cursor. Undefined where the log does not say: the history is read then.
   */
  async #positionOf(cursor: CursorPosition, { viewer }: Session): Promise<Position | undefined> {
    if (cursor.position !== undefined) return cursor.position;
    const chatId = viewer.chats.keys().find((id) => cursor.isOfChat(id));
    if (chatId === undefined) return undefined;
    const tail = await whereReachable(this.#options.sources.log.tail(chatTopic(chatId)), undefined);
    const entry = tail?.entries.find(({ event }) => event.type === "message.created" && cursor.isOf(event.message));
    if (!entry) return undefined;
    // It may have been published long after it was created, and others that were created meanwhile before it.
    const created = positionOfInstant(cursor.lacksSince);
    return earlier(created < entry.position ? created : entry.position, PUBLICATION_MARGIN_MS);
  }

  async #typists(session: Session, chatId: string | undefined): Promise<Snapshot<"typing.changed">> {
    const { typing, fanout } = this.#options;
    const changes = await typing.current(this.#chats(session, chatId).map(({ id }) => id));
    const { lifetimeMs: expiresInMs } = typing;
    const events = changes.map((change): TypingChanged => ({
      type: "typing.changed",
      chatId: change.chatId,
      change,
      expiresInMs,
    }));
    // This process may not have received their beginning: their end has to be noticed all the same.
    for (const event of events) fanout.follow(event);
    return { events, isComplete: true };
  }

  async #presences(session: Session, chatId: string | undefined): Promise<Snapshot<"presence.changed">> {
    const { presence, presenceAudience } = this.#options;
    const members = presenceAudience.membersOf(this.#chats(session, chatId));
    const { presences, isComplete } = await presence.known(members);
    // Those who are offline too: somebody whose going was missed is known to be online.
    return { events: presences.map((each) => this.#presenceEvents.of(each)), isComplete };
  }

  #chats(session: Session, chatId: string | undefined): readonly KnownChat[] {
    if (chatId === undefined) return [...session.viewer.chats.values()];
    const chat = this.#options.directory.membership(session.user.id, chatId);
    return chat ? [chat] : [];
  }
}
