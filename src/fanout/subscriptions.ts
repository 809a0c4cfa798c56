/** Admission: who may subscribe to what, and what comes first. */
import type { EventLog } from "../bus/bus.ts";
import type { Access } from "../chat/access.ts";
import { parseCursor, type Place } from "../chat/cursor.ts";
import type { Directory, KnownChat } from "../chat/directory.ts";
import type { BusEvent, EventOf, EventType, PresenceChanged, TypingChanged } from "../chat/events.ts";
import type { User } from "../chat/model.ts";
import type { Presence } from "../chat/presence.ts";
import type { Session } from "../chat/session.ts";
import type { Typing } from "../chat/typing.ts";
import { badInput, GatewayError, hasCode } from "../errors.ts";
import type { Fanout } from "./fanout.ts";
import type { CountedEvent, Replay, Replays, Since } from "../recovery/replay.ts";
import type { ResumePoint, ResumePoints } from "../recovery/resume.ts";
import { openStream, type Stream, type StreamSpec } from "./stream.ts";

/** What lets a subscription go on after its connection was lost, where the transport can. */
export interface Resumable {
  /** What the subscription is known by when its client comes back. */
  key(): string;
  /** The connection says to it from now on what has become of the client. */
  hold(point: ResumePoint): void;
}

export interface CountedArguments {
  /** Undefined: every chat of the viewer. */
  readonly chatId: string | undefined;
  readonly resumable: Resumable | undefined;
}

interface SubscriptionsOptions {
  readonly access: Access;
  readonly directory: Directory;
  readonly presence: Presence;
  readonly typing: Typing;
  readonly fanout: Fanout;
  readonly log: EventLog<BusEvent>;
  readonly replays: Replays;
  readonly resumePoints: ResumePoints;
}

/**
 * One method a subscription field. Each resolves to a stream that is fed already.
 *
 * All reject with a GatewayError: NOT_FOUND, NOT_PARTICIPANT, UNAUTHENTICATED, UPSTREAM_…
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /**
   * @param after a message's cursor: everything newer comes first. Where the client comes back from a lost connection what it has
   * not got yet comes first instead.
   * @throws GatewayError BAD_USER_INPUT, CURSOR_EXPIRED too
   */
  async messageAdded(
    session: Session,
    { chatId, resumable, after }: CountedArguments & { readonly after: string | undefined },
  ): Promise<Stream<"message.created">> {
    const place = after === undefined ? undefined : parseCursor(after, "after");
    if (place && chatId !== undefined && place.chatId !== chatId) {
      throw badInput("after", "This cursor belongs to another chat.");
    }
    return this.#openCounted("message.created", session, { chatId, resumable }, place);
  }

  /** What a client that comes back has not got yet comes first. @throws GatewayError CURSOR_EXPIRED too */
  async readReceipt(session: Session, counted: CountedArguments): Promise<Stream<"message.read">> {
    return this.#openCounted("message.read", session, counted, undefined);
  }

  /** Others only; who is typing now comes first. */
  async typingChanged(session: Session, chatId: string | undefined): Promise<Stream<"typing.changed">> {
    return this.#open({
      type: "typing.changed",
      session,
      chatId,
      takes: ({ change }) => change.user.id !== session.user.id,
      stateOf: ({ change }) => ({ key: `${change.chatId} ${change.user.id}`, value: change.isTyping }),
      snapshot: () => this.#typists(session, chatId),
    });
  }

  /** Others only; who is online now comes first. */
  async presenceChanged(session: Session, chatId: string | undefined): Promise<Stream<"presence.changed">> {
    return this.#open({
      type: "presence.changed",
      session,
      chatId,
      takes: ({ presence }) => presence.user.id !== session.user.id,
      stateOf: ({ presence }) => ({ key: presence.user.id, value: presence.online }),
      snapshot: () => this.#presences(session, chatId),
    });
  }

  /** Events that count: none is missing, from wherever the client goes on. */
  async #openCounted<Type extends CountedEvent["type"]>(
    type: Type,
    session: Session,
    { chatId, resumable }: CountedArguments,
    place: Place | undefined,
  ): Promise<Stream<Type>> {
    const { replays, resumePoints } = this.#options;
    let point: ResumePoint | undefined;
    const replay = async (): Promise<Replay | undefined> => {
      // Only now that everything live is held: what the former connection was given in between is in what is read.
      point = resumable && (await resumePoints.take(resumable.key()));
      const since: Since | undefined = point?.found ? { mark: point.found } : place && { place };
      if (!since) return undefined;
      const chatIds = chatId === undefined ? [...session.viewer.chats.keys()] : [chatId];
      try {
        return await replays.gather(session, type, chatIds, since);
      } catch (error) {
        // It is told so: if it subscribes again it begins anew.
        if (hasCode(error, "CURSOR_EXPIRED")) point?.forget();
        throw error;
      }
    };
    const isReplaying = resumable !== undefined || place !== undefined;
    const stream = await this.#open({ type, session, chatId, takes: () => true, ...(isReplaying ? { replay } : {}) });
    if (point) {
      point.begin(stream, !point.found && !place);
      resumable?.hold(point);
    }
    return stream;
  }

  async #open<Type extends EventType>(spec: StreamSpec<Type>): Promise<Stream<Type>> {
    const { session, chatId } = spec;
    if (chatId !== undefined) {
      await this.#options.access.requireMember(session, chatId);
      // In one turn with the entry into the room: whoever is not in the directory would never be told to leave.
      if (!session.viewer.chats.has(chatId)) throw new GatewayError("NOT_PARTICIPANT");
    }
    return openStream(this.#options.fanout, this.#options.log, spec);
  }

  async #typists(session: Session, chatId: string | undefined): Promise<readonly TypingChanged[]> {
    const { typing, fanout } = this.#options;
    const changes = await typing.current(this.#chats(session, chatId).map(({ id }) => id));
    const { lifetimeMs: expiresInMs } = typing;
    const events = changes.map((change): TypingChanged => ({
      type: "typing.changed",
      chatId: change.chatId,
      change,
      expiresInMs,
    }));
    // Nobody here may have heard of them when they began: their end is to be noticed all the same.
    for (const event of events) fanout.follow(event);
    return events;
  }

  async #presences(session: Session, chatId: string | undefined): Promise<readonly PresenceChanged[]> {
    const users = new Map<string, User>();
    for (const { participants } of this.#chats(session, chatId)) {
      for (const user of participants.values()) users.set(user.id, user);
    }
    const presences = await this.#options.presence.known([...users.values()]);
    // Those who are offline too: somebody whose going was missed is known to be online.
    return presences.map((presence): EventOf<"presence.changed"> => ({ type: "presence.changed", presence }));
  }

  #chats(session: Session, chatId: string | undefined): readonly KnownChat[] {
    if (chatId === undefined) return [...session.viewer.chats.values()];
    const chat = this.#options.directory.membership(session.user.id, chatId);
    return chat ? [chat] : [];
  }
}
