/**
 * From one event of the bus to the subscriptions of this process that are to get it. A chat's event touches those who listen to
 * that chat, however many connections there are beside.
 */
import { Backlog } from "../backlog.ts";
import type { Bus, Unsubscribe } from "../bus/bus.ts";
import type { Position } from "../bus/position.ts";
import { awaitedLater } from "../bounded.ts";
import type { Directory, MembershipListener } from "../chat/directory.ts";
import { isChatEvent, withPosition, type BusEvent, type ChatEvent } from "../chat/events/registry.ts";
import { chatTopic, USERS_TOPIC } from "../chat/events/topics.ts";
import type { TypingChanged } from "../chat/events/typing-changed.ts";
import type { History } from "../chat/history.ts";
import type { User } from "../chat/model.ts";
import type { Presence } from "../chat/presence.ts";
import type { PresenceAudience } from "../chat/presence-audience.ts";
import type { KnownChat, Session, Viewer } from "../chat/session.ts";
import type { KnownReads } from "../chat/known-reads.ts";
import { GatewayError } from "../errors.ts";
import { ITEMS_PER_PIECE, type FairTurns } from "../fair-turns.ts";
import type { Durations } from "../measures.ts";
import { Deliveries, type DeliveriesParts } from "./deliveries.ts";
import { ChatListFanout } from "./chat-list-fanout.ts";
import { PresenceFanout } from "./presence-fanout.ts";
import { recoverRoom } from "./recover-messages.ts";
import { Room } from "./room.ts";
import { LateRefresh } from "./late-refresh.ts";
import type { SubscriberSet } from "./stream.ts";
import { Subscribers, type Subscriber } from "./subscriber.ts";

interface FanoutOptions extends DeliveriesParts {
  readonly bus: Bus<BusEvent>;
  readonly directory: Directory;
  readonly presence: Pick<Presence, "heard" | "known">;
  readonly presenceAudience: PresenceAudience;
  readonly history: Pick<History, "select">;
  readonly reads: Pick<KnownReads, "learnReceipt">;
  /** Messages that are read of a chat's history at most when the log has lost them. */
  readonly replayLimit: number;
  /** Of users who have many chats. */
  readonly turns: FairTurns;
}

export class Fanout implements MembershipListener, SubscriberSet {
  readonly #options: FanoutOptions;
  readonly #rooms = new Map<string, Room>();
  /** The subscriptions to all chats, by session. */
  readonly #toAll = new Map<Session, Subscribers>();
  #subscriptions = 0;
  readonly #presence: PresenceFanout;
  readonly #late: LateRefresh;
  /** The chats that sessions have stopped listening to. */
  readonly #leaving = new Backlog();
  #users: Unsubscribe | undefined;
  #stopObserving: (() => void) | undefined;
  #isBusLost = false;
  #delivered = 0;
  readonly #deliveries: Deliveries;

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.#deliveries = new Deliveries(options);
    this.#presence = new PresenceFanout({
      ...options,
      rooms: this.#rooms,
      deliver: (subscribers, event) => {
        this.#delivered += subscribers.deliver(event, undefined);
      },
      incomplete: ({ audience, direct }) => {
        for (const subscribers of [direct, ...audience.values()]) {
          for (const subscriber of subscribers.of("presence.changed")) this.refreshLater(subscriber);
        }
      },
    });
    this.#late = new LateRefresh(options.log);
    options.directory.observe(this);
    options.directory.observe(new ChatListFanout(this.#rooms, this.#toAll));
  }

  /** Running subscriptions, chats listened to, and deliveries since the start. */
  get statistics(): { subscriptions: number; rooms: number; delivered: number } {
    return { subscriptions: this.#subscriptions, rooms: this.#rooms.size, delivered: this.#delivered };
  }

  /** From an event's publication until it is written, in seconds. */
  get deliveryTimes(): Durations {
    return this.#deliveries.durations;
  }

  async start(): Promise<void> {
    const { bus, log } = this.#options;
    this.#stopObserving = bus.observe({
      lost: () => {
        this.#isBusLost = true;
        for (const subscriber of this.#all()) subscriber.busLost();
      },
      restored: () => {
        this.#refreshAll().catch((error: unknown) => log.warn({ err: error }, "states could not be read again"));
      },
    });
    this.#users = await bus.subscribe(USERS_TOPIC, {
      receive: (event) => {
        if (event.type === "presence.changed") this.#presence.announce(event);
      },
    });
  }

  /** Ends every subscription and leaves the bus. */
  async close(): Promise<void> {
    this.#stopObserving?.();
    this.#late.close();
    for (const subscriber of this.#all()) subscriber.end();
    await this.#users?.();
  }

  /** Resolves when every event published from then on reaches the subscriber. Its viewer has been admitted. */
  async add(subscriber: Subscriber): Promise<void> {
    const { session, chatId } = subscriber;
    if (session.ended) throw session.ended;
    this.#subscriptions++;
    session.subscriptions.add(subscriber);
    if (this.#isBusLost) subscriber.busLost();
    if (chatId !== undefined) {
      const room = this.#room(chatId);
      room.direct.add(subscriber);
      await room.fed;
      return;
    }
    const mine: Subscribers = this.#toAll.get(session) ?? new Subscribers();
    this.#toAll.set(session, mine);
    mine.add(subscriber);
    await this.#listenToAll(session, mine);
  }

  /** With turns for others in between: some users have thousands of chats. */
  async #listenToAll(session: Session, mine: Subscribers): Promise<void> {
    const listening: Promise<void>[] = [];
    for (const id of session.viewer.chats.keys()) {
      if (listening.length % ITEMS_PER_PIECE === ITEMS_PER_PIECE - 1) await this.#options.turns.next(session.user.id);
      // The subscriptions may have ended, or the viewer left the chat, meanwhile.
      if (this.#toAll.get(session) !== mine) break;
      if (session.viewer.chats.has(id)) listening.push(awaitedLater(this.#listen(session, mine, id)));
    }
    await Promise.all(listening);
  }

  /** Somebody types whose beginning was not received. */
  follow(event: TypingChanged): void {
    this.#rooms.get(event.chatId)?.followUnknown(event);
  }

  /** Nothing more is delivered to it; all of its chats are left, in slices. Harmless when repeated. */
  remove(subscriber: Subscriber): void {
    const { session, chatId } = subscriber;
    if (!session.subscriptions.delete(subscriber)) return;
    this.#subscriptions--;
    if (chatId !== undefined) {
      const room = this.#rooms.get(chatId);
      if (!room) return;
      room.direct.delete(subscriber);
      this.#dropIfEmpty(room);
      return;
    }
    const mine = this.#toAll.get(session);
    if (!mine) return;
    mine.delete(subscriber);
    if (!mine.isEmpty) return;
    this.#toAll.delete(session);
    // A copy: what the viewer leaves meanwhile is left here too.
    this.#leaving.add([...session.viewer.chats.keys()], (id) => this.#leaveRoom(session, id, mine));
  }

  refreshLater(subscriber: Subscriber): void {
    this.#late.add(subscriber);
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
      for (const subscriber of this.#toAll.get(session)?.all() ?? []) subscriber.forget(chatId);
      // Of the viewer's own subscriptions, not of the chat's: a chat that is deleted is left by each of its members.
      for (const subscription of session.subscriptions) {
        if (subscription.chatId === chatId) subscription.end(new GatewayError("NOT_PARTICIPANT"));
      }
    }
  }

  /** Who is online and new in a chat is shown to those who are in it. */
  added(chat: KnownChat, users: readonly User[]): void {
    this.#presence.show(chat, users).catch((error: unknown) => {
      this.#options.log.error({ err: error, chatId: chat.id }, "the presence of a chat's new member could not be read");
    });
  }

  async #enter(session: Session, mine: Subscribers, chatId: string, since: Position | undefined): Promise<void> {
    await this.#listen(session, mine, chatId, since);
    for (const subscriber of mine.all()) await subscriber.refresh(chatId);
  }

  /**
   * @param since the viewer is a member since then. A first message may be published before the bus has subscribed to a new chat, and may
   * arrive before the news that the viewer is in it.
   */
  async #listen(session: Session, mine: Subscribers, chatId: string, since?: Position): Promise<void> {
    const room = this.#room(chatId);
    if (since === undefined) {
      // Those who are about to be in it get what they lack first.
      if (!room.isEntering(mine)) room.audience.set(session, mine);
      await room.fed;
      return;
    }
    room.enter(mine, since);
    await room.fed;
    room.entered(mine);
    if (!session.viewer.chats.has(chatId) || this.#toAll.get(session) !== mine) return this.#dropIfEmpty(room);
    // In one turn: nothing arrives live in between.
    for (const subscriber of mine.all()) subscriber.joined(chatId, since);
    room.audience.set(session, mine);
  }

  /** @param mine the subscriptions that leave it, where it is not all: the session may have others by now. */
  #leaveRoom(session: Session, chatId: string, mine?: Subscribers): void {
    const room = this.#rooms.get(chatId);
    if (mine && room?.audience.get(session) !== mine) return;
    if (room?.audience.delete(session)) this.#dropIfEmpty(room);
  }

  #room(chatId: string): Room {
    const existing = this.#rooms.get(chatId);
    if (existing) return existing;
    const room = new Room(
      chatId,
      (fed) =>
        this.#options.bus.subscribe(chatTopic(chatId), {
          receive: (event, position) => {
            if (isChatEvent(event)) this.#onChatEvent(fed, withPosition(event, position), position);
          },
          recover: (after, isKnown) => recoverRoom(this.#options, fed, after, isKnown),
        }),
      (event) => this.#serve(room, event, undefined),
    );
    this.#rooms.set(chatId, room);
    return room;
  }

  /** The bus subscription may still be under way: it is ended once it has begun, and nobody waits for that. */
  #dropIfEmpty(room: Room): void {
    if (!room.isEmpty) return;
    this.#rooms.delete(room.chatId);
    room.close();
    room.fed
      .then((unsubscribe) => unsubscribe())
      .catch((error: unknown) => this.#options.log.error({ err: error }, "a chat could not be left"));
  }

  #onChatEvent(room: Room, event: ChatEvent, position: Position | undefined): void {
    if (event.type === "typing.changed") room.follow(event);
    if (event.type === "message.created") room.stopTyping(event.message.sender.id);
    if (event.type === "message.read") this.#options.reads.learnReceipt(event.receipt);
    const before = this.#delivered;
    const begun = this.#deliveries.begin(event);
    this.#serve(room, event, position);
    this.#deliveries.end(event, position, this.#delivered - before, begun);
  }

  #serve(room: Room, event: ChatEvent, position: Position | undefined): void {
    for (const [session, mine] of room.audience) {
      // The audience is kept by membership changes; a last look costs a map's, and decides.
      if (!session.viewer.chats.has(room.chatId)) continue;
      this.#delivered += mine.deliver(event, position);
    }
    this.#delivered += room.direct.deliver(event, position);
  }

  /** A copy: who has ended meanwhile is in it, and is not bothered by what comes after. */
  #all(): readonly Subscriber[] {
    const rooms = Array.from(this.#rooms.values(), ({ direct }) => direct);
    return [...this.#toAll.values(), ...rooms].flatMap((subscribers) => [...subscribers.all()]);
  }

  /** Transient events may have been missed. One subscription after the other: there are many, and each reads from the bus. */
  async #refreshAll(): Promise<void> {
    this.#isBusLost = false;
    for (const subscriber of this.#all()) subscriber.busRestored();
    for (const subscriber of this.#all()) {
      if (!subscriber.session.subscriptions.has(subscriber)) continue;
      try {
        await subscriber.refresh();
      } catch (error) {
        this.#options.log.warn({ err: error }, "states could not be read again");
      }
    }
  }
}
