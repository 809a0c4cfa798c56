/**
 * From one event of the bus to the subscriptions of this process that are to get it. A chat's event touches those who listen to
 * that chat, however many connections there are beside.
 */
import type { Bus, Unsubscribe } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import type { Directory, MembershipListener, Viewer } from "../chat/directory.ts";
import {
  chatTopic,
  idOf,
  isChatEvent,
  placed,
  USERS_TOPIC,
  type BusEvent,
  type ChatEvent,
  type DeliveredEvent,
  type EventType,
  type PresenceChanged,
  type TypingChanged,
} from "../chat/events.ts";
import type { History } from "../chat/history.ts";
import type { Session } from "../chat/session.ts";
import { GatewayError } from "../errors.ts";
import type { Log } from "../log.ts";
import { Gaps } from "./gaps.ts";
import type { CountedEvent } from "../recovery/replay.ts";
import { all, erase, insert, Room, type Subscribers } from "./room.ts";

/** One running subscription. `deliver` and `end` may neither throw nor wait. */
export interface Subscriber {
  readonly spec: { readonly type: EventType; readonly session: Session; readonly chatId: string | undefined };
  // A method, so that subscribers of one type of event are subscribers.
  deliver(event: DeliveredEvent, position: Position | undefined): void;
  end(error?: GatewayError): void;
  /** The viewer has left a chat. */
  forget(chatId: string): void;
  /** The viewer has joined a chat, or states have gone by unheard: delivers the present state where it is news. */
  refresh(): Promise<void>;
  /** What was missed may be read again. */
  resume(): void;
}

interface FanoutOptions {
  readonly bus: Bus<BusEvent>;
  readonly directory: Directory;
  readonly history: Pick<History, "select">;
  /** Messages that are fetched for a chat at most when the log has lost them. */
  readonly replayLimit: number;
  readonly log: Log;
}

export class Fanout implements MembershipListener {
  readonly #options: FanoutOptions;
  readonly #rooms = new Map<string, Room>();
  /** The subscriptions to all chats, by session. */
  readonly #toAll = new Map<Session, Subscribers>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #gaps: Gaps;
  #users: Unsubscribe | undefined;
  #stopObserving: (() => void) | undefined;
  #delivered = 0;

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.#gaps = new Gaps(options, (room, event, position) => this.#serve(room, event, position));
    options.directory.observe(this);
  }

  /** Running subscriptions, chats listened to, and deliveries since the start. */
  get statistics(): { subscriptions: number; rooms: number; delivered: number } {
    return { subscriptions: this.#subscribers.size, rooms: this.#rooms.size, delivered: this.#delivered };
  }

  async start(): Promise<void> {
    const { bus, log } = this.#options;
    this.#stopObserving = bus.observe({
      restored: () => {
        this.#refreshAll().catch((error: unknown) => log.warn({ err: error }, "states could not be read again"));
      },
    });
    this.#users = await bus.subscribe(USERS_TOPIC, {
      receive: (event) => {
        if (event.type === "presence.changed") this.#onPresence(event);
      },
    });
  }

  /** Ends every subscription and leaves the bus. */
  async close(): Promise<void> {
    this.#stopObserving?.();
    for (const subscriber of this.#subscribers) subscriber.end();
    await this.#users?.();
  }

  /** Resolves when every event published from then on reaches the subscriber. Its viewer has been admitted. */
  async add(subscriber: Subscriber): Promise<void> {
    const { session, chatId } = subscriber.spec;
    if (session.ended) throw session.ended;
    this.#subscribers.add(subscriber);
    session.subscriptions.add(subscriber);
    if (chatId !== undefined) {
      const room = this.#room(chatId);
      insert(room.direct, subscriber);
      await room.fed;
      return;
    }
    const mine: Subscribers = this.#toAll.get(session) ?? new Map();
    this.#toAll.set(session, mine);
    insert(mine, subscriber);
    await Promise.all([...session.viewer.chats.keys()].map((id) => this.#listen(session, mine, id)));
  }

  /** Where the listeners of those of these chats stand that have not been given everything which the bus has brought, by topic. */
  behind(chatIds: Iterable<string>): Readonly<Record<string, Position>> | undefined {
    let behind: Record<string, Position> | undefined;
    for (const id of chatIds) {
      const after = this.#rooms.get(id)?.behind;
      if (after !== undefined) (behind ??= {})[chatTopic(id)] = after;
    }
    return behind;
  }

  /** Whether an event that is found in the log was delivered before it was there. */
  wasDelivered(event: CountedEvent): boolean {
    return this.#rooms.get(event.chatId)?.hasUnplaced(idOf(event)) ?? false;
  }

  /** Somebody was found typing, and not heard to begin. */
  follow(event: TypingChanged): void {
    this.#rooms.get(event.chatId)?.follow(event);
  }

  /** Harmless when repeated. */
  remove(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return;
    const { session, chatId } = subscriber.spec;
    session.subscriptions.delete(subscriber);
    if (chatId !== undefined) {
      const room = this.#rooms.get(chatId);
      if (!room) return;
      erase(room.direct, subscriber);
      this.#dropIfEmpty(room);
      return;
    }
    const mine = this.#toAll.get(session);
    if (!mine) return;
    erase(mine, subscriber);
    if (mine.size > 0) return;
    this.#toAll.delete(session);
    for (const id of session.viewer.chats.keys()) this.#leaveRoom(session, id);
  }

  async joined(viewer: Viewer, chatId: string, since: Position | undefined): Promise<void> {
    const entering = [...viewer.sessions].map(async (session) => {
      const mine = this.#toAll.get(session);
      if (mine) await this.#enter(session, mine, chatId, since);
    });
    await Promise.all(entering).catch((error: unknown) =>
      this.#options.log.error({ err: error, chatId }, "a chat could not be listened to"),
    );
  }

  left(viewer: Viewer, chatId: string): void {
    for (const session of viewer.sessions) {
      this.#leaveRoom(session, chatId);
      for (const subscriber of all(this.#toAll.get(session))) subscriber.forget(chatId);
    }
    for (const subscriber of all(this.#rooms.get(chatId)?.direct)) {
      if (subscriber.spec.session.viewer === viewer) subscriber.end(new GatewayError("NOT_PARTICIPANT"));
    }
  }

  /** Who is online and new in a chat is shown to those who are in it. */
  added(chatId: string): void {
    const room = this.#rooms.get(chatId);
    if (!room) return;
    const lists = [room.direct, ...room.audience.values()].map((subscribers) => subscribers.get("presence.changed"));
    for (const subscriber of lists.flatMap((list) => [...(list ?? [])])) {
      subscriber.refresh().catch((error: unknown) => {
        this.#options.log.error({ err: error, chatId }, "the presence of a chat's new member could not be read");
      });
    }
  }

  async #enter(session: Session, mine: Subscribers, chatId: string, since: Position | undefined): Promise<void> {
    const isFed = this.#rooms.has(chatId);
    const listening = this.#listen(session, mine, chatId);
    const room = this.#room(chatId);
    // A chat's first message follows on the heels of the news that there is the chat, and may be published before the bus has
    // subscribed to it: what the log has since that news comes before what is live.
    if (!isFed && since !== undefined) await this.#gaps.readSince(room, since);
    await listening;
    for (const subscriber of all(mine)) await subscriber.refresh();
  }

  async #listen(session: Session, mine: Subscribers, chatId: string): Promise<void> {
    const room = this.#room(chatId);
    room.audience.set(session, mine);
    await room.fed;
  }

  #leaveRoom(session: Session, chatId: string): void {
    const room = this.#rooms.get(chatId);
    if (!room?.audience.delete(session)) return;
    this.#dropIfEmpty(room);
  }

  #room(chatId: string): Room {
    const existing = this.#rooms.get(chatId);
    if (existing) return existing;
    const room = new Room(
      chatId,
      (fed) =>
        this.#options.bus.subscribe(chatTopic(chatId), {
          receive: (event, position) => {
            if (isChatEvent(event)) this.#onChatEvent(fed, event, position);
          },
          missed: (after, isGiven) => {
            this.#gaps.fill(fed, after, isGiven).catch((error: unknown) => this.#giveUp(fed, error));
          },
        }),
      (event) => this.#serve(room, event, undefined),
    );
    this.#rooms.set(chatId, room);
    return room;
  }

  /** The bus subscription may still be under way: it is undone when it stands, and nobody waits for that. */
  #dropIfEmpty(room: Room): void {
    if (!room.isEmpty) return;
    this.#rooms.delete(room.chatId);
    room.close();
    room.fed
      .then((unsubscribe) => unsubscribe())
      .catch((error: unknown) => this.#options.log.error({ err: error }, "a chat could not be left"));
  }

  #onChatEvent(room: Room, event: ChatEvent, position: Position | undefined): void {
    room.pass(placed(event, position), position, (passed, at) => this.#serve(room, passed, at));
  }

  #serve(room: Room, event: ChatEvent, position: Position | undefined): void {
    for (const [session, mine] of room.audience) {
      // The audience is kept by membership changes; a last look costs a map's, and decides.
      if (!session.viewer.chats.has(room.chatId)) continue;
      this.#deliver(mine.get(event.type), event, position);
    }
    this.#deliver(room.direct.get(event.type), event, position);
  }

  /** What is missing cannot be had: that is said to whoever it is missing to. */
  #giveUp(room: Room, error: unknown): void {
    this.#options.log.warn({ err: error, chatId: room.chatId }, "messages of a chat were missed and cannot be read");
    const lists = [...room.audience.values(), room.direct].map((of) => of.get("message.created"));
    lists.forEach((list) => list?.forEach((subscriber) => subscriber.end(new GatewayError("CURSOR_EXPIRED"))));
  }

  /** The bus has been away, and states went by unheard. One after the other: there are many, and each asks the bus. */
  async #refreshAll(): Promise<void> {
    for (const subscriber of this.#subscribers) subscriber.resume();
    for (const subscriber of this.#subscribers) await subscriber.refresh();
  }

  /** A user's presence concerns who shares a chat with that user, once, however many chats they share. */
  #onPresence(event: PresenceChanged): void {
    const served = new Set<Session>();
    for (const chat of this.#options.directory.chatsOf(event.presence.user.id)) {
      const room = this.#rooms.get(chat.id);
      if (!room) continue;
      for (const [session, mine] of room.audience) {
        if (served.has(session)) continue;
        served.add(session);
        this.#deliver(mine.get(event.type), event, undefined);
      }
      this.#deliver(room.direct.get(event.type), event, undefined);
    }
  }

  #deliver(
    subscribers: ReadonlySet<Subscriber> | undefined,
    event: DeliveredEvent,
    position: Position | undefined,
  ): void {
    if (!subscribers) return;
    for (const subscriber of subscribers) {
      this.#delivered++;
      subscriber.deliver(event, position);
    }
  }
}
