/** Admission: who may subscribe to what, and what comes first. */
import type { EventLog } from "../bus/bus.ts";
import type { Access } from "../chat/access.ts";
import type { Directory, KnownChat } from "../chat/directory.ts";
import type { BusEvent, EventOf, EventType, PresenceChanged, TypingChanged } from "../chat/events.ts";
import type { User } from "../chat/model.ts";
import type { Presence } from "../chat/presence.ts";
import type { Session } from "../chat/session.ts";
import type { Typing } from "../chat/typing.ts";
import { GatewayError } from "../errors.ts";
import type { Fanout } from "./fanout.ts";
import { openStream, type Stream, type StreamSpec } from "./stream.ts";

interface SubscriptionsOptions {
  readonly access: Access;
  readonly directory: Directory;
  readonly presence: Presence;
  readonly typing: Typing;
  readonly fanout: Fanout;
  readonly log: EventLog<BusEvent>;
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

  async messageAdded(session: Session, chatId: string | undefined): Promise<Stream<"message.created">> {
    return this.#open({ type: "message.created", session, chatId, takes: () => true });
  }

  async readReceipt(session: Session, chatId: string | undefined): Promise<Stream<"message.read">> {
    return this.#open({ type: "message.read", session, chatId, takes: () => true });
  }

  /** Others only; who is typing now comes first. */
  async typingChanged(session: Session, chatId: string | undefined): Promise<Stream<"typing.changed">> {
    return this.#open({
      type: "typing.changed",
      session,
      chatId,
      takes: ({ change }) => change.user.id !== session.user.id,
      stateOf: ({ change }) => ({ key: `${change.chatId} ${change.user.id}`, value: change.isTyping }),
      snapshot: async () => this.#typists(session, chatId),
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
      snapshot: () => this.#online(session, chatId),
    });
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

  #typists(session: Session, chatId: string | undefined): readonly TypingChanged[] {
    return this.#chats(session, chatId).flatMap(({ id }) =>
      this.#options.typing.current(id).map((change): TypingChanged => ({ type: "typing.changed", chatId: id, change })),
    );
  }

  async #online(session: Session, chatId: string | undefined): Promise<readonly PresenceChanged[]> {
    const users = new Map<string, User>();
    for (const { participants } of this.#chats(session, chatId)) {
      for (const user of participants.values()) users.set(user.id, user);
    }
    const presences = await this.#options.presence.of([...users.values()]);
    return presences
      .filter((presence) => presence.online)
      .map((presence): EventOf<"presence.changed"> => ({ type: "presence.changed", presence }));
  }

  #chats(session: Session, chatId: string | undefined): readonly KnownChat[] {
    if (chatId === undefined) return [...session.viewer.chats.values()];
    const chat = this.#options.directory.membership(session.user.id, chatId);
    return chat ? [chat] : [];
  }
}
