/** The listeners of one chat on this process. */
import type { Unsubscribe } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import type { TypingChanged } from "../chat/events/typing-changed.ts";
import type { Session } from "../chat/session.ts";
import { Subscribers } from "./subscriber.ts";

/** It lives as long as it has a listener, and holds the process's one bus subscription to the chat. */
export class Room {
  readonly chatId: string;
  /** The subscriptions to all chats of each session whose viewer is in this one. */
  readonly audience = new Map<Session, Subscribers>();
  /** Subscriptions to this chat alone. */
  readonly direct = new Subscribers();
  /** Subscriptions that are about to be in the audience, as often as their viewer has joined the chat. */
  #entering: Subscribers[] | undefined;
  /** Resolves when the room receives the chat's events. */
  readonly fed: Promise<Unsubscribe>;
  readonly #onExpired: (event: TypingChanged) => void;
  /** Who types here, with the end of the indicator if nobody says otherwise. */
  #typists: Map<string, { readonly event: TypingChanged; readonly timer: NodeJS.Timeout }> | undefined;

  /**
   * @param feed subscribes the room to its chat.
   * @param onExpired is notified of the end of an indicator that nobody else ends: its typist's instance has died.
   */
  constructor(chatId: string, feed: (room: Room) => Promise<Unsubscribe>, onExpired: (event: TypingChanged) => void) {
    this.chatId = chatId;
    this.#onExpired = onExpired;
    this.fed = feed(this);
  }

  get isEmpty(): boolean {
    return this.audience.size === 0 && this.direct.isEmpty && (this.#entering ?? []).length === 0;
  }

  /** These subscriptions will be in the audience, for what is published after a position: {@link entered} follows. */
  enter(subscribers: Subscribers, since: Position): void {
    (this.#entering ??= []).push(subscribers);
    for (const subscriber of subscribers.all()) subscriber.joining?.(this.chatId, since);
  }

  entered(subscribers: Subscribers): void {
    this.#entering?.splice(this.#entering.indexOf(subscribers), 1);
  }

  isEntering(subscribers: Subscribers): boolean {
    return this.#entering?.includes(subscribers) === true;
  }

  /** The sessions here with whose rights the chat can be read. */
  *sessions(): Generator<Session> {
    for (const session of this.audience.keys()) if (!session.ended) yield session;
    for (const { session } of this.direct.all()) if (!session.ended) yield session;
  }

  /** Somebody types, or has stopped: looks after the end of the indicator. */
  follow(event: TypingChanged): void {
    const { user, isTyping } = event.change;
    clearTimeout(this.#typists?.get(user.id)?.timer);
    if (!isTyping || event.expiresInMs === undefined) {
      this.#typists?.delete(user.id);
      return;
    }
    this.#typists ??= new Map();
    const expire = (): void => this.#expire(event);
    const timer = setTimeout(expire, event.expiresInMs);
    timer.unref();
    this.#typists.set(user.id, { event, timer });
  }

  /** The same for an indicator whose beginning was not received. */
  followUnknown(event: TypingChanged): void {
    if (!this.#typists?.has(event.change.user.id)) this.follow(event);
  }

  /** Who has sent a message has stopped typing it, on whichever instance that was. */
  stopTyping(userId: string): void {
    const typing = this.#typists?.get(userId);
    if (typing) this.#expire(typing.event);
  }

  /** Nobody listens any more. */
  close(): void {
    for (const { timer } of this.#typists?.values() ?? []) clearTimeout(timer);
    this.#typists = undefined;
  }

  #expire({ type, chatId, change }: TypingChanged): void {
    clearTimeout(this.#typists?.get(change.user.id)?.timer);
    this.#typists?.delete(change.user.id);
    this.#onExpired({ type, chatId, change: { ...change, isTyping: false } });
  }
}
