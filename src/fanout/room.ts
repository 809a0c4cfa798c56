/** The listeners of one chat on this process, and what has to be known to serve them. */
import { LRUCache } from "lru-cache";
import { EVENT_ID_TTL_MS, type Unsubscribe } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import { idOf, type ChatEvent, type EventType, type TypingChanged } from "../chat/events.ts";
import type { Session } from "../chat/session.ts";
import type { Subscriber } from "./fanout.ts";

export type Subscribers = Map<EventType, Set<Subscriber>>;

/** Events that are remembered at most, so that what is read from the log or the history is not taken for news. */
const MAX_RECENT = 1000;

/** Of those that were delivered without a place in the log: they get one as late as an instance that was cut off publishes what it has. */
const MAX_UNPLACED = 20_000;

/** It lives as long as it has any listener, and holds the process's one bus subscription to the chat. */
export class Room {
  readonly chatId: string;
  /** On this machine's clock: what was published before is no news to anybody here. */
  readonly beganAtMs = Date.now();
  /** The subscriptions to all chats of each session whose viewer is in this one. */
  readonly audience = new Map<Session, Subscribers>();
  /** Subscriptions to this chat alone. */
  readonly direct: Subscribers = new Map();
  /** Resolves when the room is fed. */
  readonly fed: Promise<Unsubscribe>;
  readonly #onExpired: (event: TypingChanged) => void;
  /** What arrives while what is missing before it is being fetched. */
  #held: (() => void)[] | undefined;
  #heldAfter: Position | undefined;
  /** What is still to be done before that ends. */
  #fills: (() => Promise<void>)[] = [];
  readonly #heldMessages = new Set<string>();
  readonly #recent = new Set<string>();
  #unplaced: LRUCache<string, true> | undefined;
  /** Who types here, with the end of the indicator if nobody says otherwise. */
  #typists: Map<string, { readonly event: TypingChanged; readonly timer: NodeJS.Timeout }> | undefined;

  /**
   * @param feed subscribes the room to its chat.
   * @param onExpired hears the end of an indicator of which nobody else says that it is over: its typist's instance has died.
   */
  constructor(chatId: string, feed: (room: Room) => Promise<Unsubscribe>, onExpired: (event: TypingChanged) => void) {
    this.chatId = chatId;
    this.#onExpired = onExpired;
    this.fed = feed(this);
  }

  get isEmpty(): boolean {
    return this.audience.size === 0 && this.direct.size === 0;
  }

  /** Somebody's session here, with whose rights the chat can be read. */
  get anyone(): Session | undefined {
    for (const session of this.audience.keys()) if (!session.ended) return session;
    for (const subscribers of this.direct.values()) {
      for (const { spec } of subscribers) if (!spec.session.ended) return spec.session;
    }
    return undefined;
  }

  /** Delivers now, or when what is missing before it has been. */
  pass(event: ChatEvent, position: Position | undefined, deliver: Deliver): void {
    if (!this.#held) {
      this.#deliver(event, position, deliver);
      return;
    }
    this.#held.push(() => this.pass(event, position, deliver));
    if (event.type === "message.created") this.#heldMessages.add(event.message.id);
  }

  /** Whether a message waits until what is missing has been given. */
  holds(messageId: string): boolean {
    return this.#heldMessages.has(messageId);
  }

  /** Where the listeners stand while what arrives is held; undefined while they stand where the bus does. */
  get behind(): Position | undefined {
    return this.#heldAfter;
  }

  /**
   * Holds what arrives until `fill` has given what is missing after that position. Where that is going on already, for what was missing
   * before, this is done next, before anything else: what is missing now may not have been there to be read.
   */
  async hold(after: Position, fill: () => Promise<void>): Promise<void> {
    this.#fills.push(fill);
    if (this.#held) return;
    this.#held = [];
    this.#heldAfter = after;
    try {
      for (let next = this.#fills.shift(); next; next = this.#fills.shift()) await next();
    } finally {
      const held = this.#held;
      this.#held = undefined;
      this.#heldAfter = undefined;
      this.#fills = [];
      this.#heldMessages.clear();
      for (const deliver of held) deliver();
    }
  }

  /** Delivers what was missing, unless it has been delivered here; while the room is held. */
  insert(event: ChatEvent, position: Position | undefined, deliver: Deliver): void {
    this.#deliver(event, position, deliver);
  }

  /** Whether an event was delivered while it had no place in the log. Who reads the log later finds it there. */
  hasUnplaced(id: string): boolean {
    return this.#unplaced?.has(id) ?? false;
  }

  /** Looks after the end of an indicator that was begun unheard. */
  follow(event: TypingChanged): void {
    if (!this.#typists?.has(event.change.user.id)) this.#follow(event);
  }

  /** Nobody listens any more. */
  close(): void {
    for (const { timer } of this.#typists?.values() ?? []) clearTimeout(timer);
    this.#typists = undefined;
  }

  #deliver(event: ChatEvent, position: Position | undefined, deliver: Deliver): void {
    if (event.type === "typing.changed") this.#follow(event);
    else {
      const id = idOf(event);
      // It may have been inserted while its publication was under way.
      if (!this.#isNews(id)) return;
      if (position === undefined) this.#noteUnplaced(id);
    }
    // Who has sent a message has stopped typing it, on whichever instance that was.
    if (event.type === "message.created") this.#stopTyping(event.message.sender.id);
    deliver(event, position);
  }

  #noteUnplaced(id: string): void {
    // By size, not by `max`, for which the cache takes the memory at once: there are many rooms, and few such events in most.
    this.#unplaced ??= new LRUCache({ maxSize: MAX_UNPLACED, sizeCalculation: () => 1, ttl: EVENT_ID_TTL_MS });
    this.#unplaced.set(id, true);
  }

  #isNews(id: string): boolean {
    if (this.#recent.has(id) || this.hasUnplaced(id)) return false;
    this.#recent.add(id);
    const [oldest] = this.#recent;
    if (this.#recent.size > MAX_RECENT && oldest !== undefined) this.#recent.delete(oldest);
    return true;
  }

  #stopTyping(userId: string): void {
    const typing = this.#typists?.get(userId);
    if (typing) this.#expire(typing.event);
  }

  #follow(event: TypingChanged): void {
    const { user, isTyping } = event.change;
    clearTimeout(this.#typists?.get(user.id)?.timer);
    if (!isTyping || event.expiresInMs === undefined) {
      this.#typists?.delete(user.id);
      return;
    }
    this.#typists ??= new Map();
    const timer = setTimeout(() => this.#expire(event), event.expiresInMs);
    timer.unref();
    this.#typists.set(user.id, { event, timer });
  }

  #expire({ type, chatId, change }: TypingChanged): void {
    clearTimeout(this.#typists?.get(change.user.id)?.timer);
    this.#typists?.delete(change.user.id);
    this.#onExpired({ type, chatId, change: { ...change, isTyping: false } });
  }
}

type Deliver = (event: ChatEvent, position: Position | undefined) => void;

/** A copy: serving them may change the set. */
export function all(subscribers: Subscribers | undefined): readonly Subscriber[] {
  return [...(subscribers?.values() ?? [])].flatMap((ofType) => [...ofType]);
}

export function insert(subscribers: Subscribers, subscriber: Subscriber): void {
  const { type } = subscriber.spec;
  const ofType = subscribers.get(type);
  if (ofType) ofType.add(subscriber);
  else subscribers.set(type, new Set([subscriber]));
}

export function erase(subscribers: Subscribers, subscriber: Subscriber): void {
  const ofType = subscribers.get(subscriber.spec.type);
  ofType?.delete(subscriber);
  if (ofType?.size === 0) subscribers.delete(subscriber.spec.type);
}
