/**
 * Who is typing where. Stops by itself, on a sent message, and when the connection that typed is gone. Who types through this
 * instance is here; the typists of a chat are in an expiring set on the bus, from which a typist whose instance dies is removed soon.
 */
import { boundedWait } from "../bounded.ts";
import { whereReachable, type Bus } from "../bus/bus.ts";
import type { Log } from "../log.ts";
import type { Access } from "./access.ts";
import { topicOf, type BusEvent } from "./events/registry.ts";
import type { TypingChanged } from "./events/typing-changed.ts";
import type { TypingChange, User } from "./model.ts";
import { Pacer } from "./pacer.ts";
import { Session, type Identity } from "./session.ts";
import type { SessionListener } from "./sessions.ts";

interface Typist {
  readonly user: User;
  readonly chatId: string;
  /** The sessions that said so; an HTTP request's identity holds none and leaves it to the timer. */
  readonly sessions: Set<Session>;
  timer: NodeJS.Timeout | undefined;
  /** When the others were last told, in ms of the process's clock. */
  toldAt: number;
}

/** Changes of one user in one chat that are published at once, and how long it takes until there may be another one. */
const BURST = 10;
const INTERVAL_MS = 300;

/** How long the answer to setTyping waits for its publication. */
const PUBLISHING_MS = 1000;

/** How much later than an indicator ends where its typist is, it ends elsewhere if nobody says so. */
const SLACK_MS = 1000;

/** A timer of Node.js that is to wait longer ends at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

export class Typing implements SessionListener {
  readonly #access: Access;
  readonly #bus: Bus<BusEvent>;
  readonly #timeoutMs: number;
  readonly #log: Log;
  /** By chat, then by user. */
  readonly #typists = new Map<string, Map<string, Typist>>();
  /** What a closing session has to stop. */
  readonly #bySession = new Map<Session, Set<Typist>>();
  readonly #pacer = new Pacer(BURST, INTERVAL_MS);

  constructor(access: Access, bus: Bus<BusEvent>, timeoutMs: number, log: Log) {
    this.#access = access;
    this.#bus = bus;
    this.#timeoutMs = timeoutMs;
    this.#log = log;
  }

  /** How long other instances may show a typist after their last event: what they receive later may have been sent before. */
  get lifetimeMs(): number {
    // It is published at the latest half a timeout before the typist's last signal, which counts for a whole one.
    return Math.min(1.5 * this.#timeoutMs + SLACK_MS, LONGEST_TIMER_MS);
  }

  /** Who is typing in these chats now. */
  async current(chatIds: readonly string[]): Promise<readonly TypingChange[]> {
    const lists = await whereReachable(this.#bus.expiringSets.list(chatIds.map(typistsOf)), undefined);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this class writes to these expiringSets
    if (lists) return lists.flat() as readonly TypingChange[];
    return chatIds.flatMap((id) =>
      [...(this.#typists.get(id)?.values() ?? [])].map((typist) => toChange(typist, true)),
    );
  }

  /**
   * Starts, prolongs or stops the indicator of somebody in a chat.
   *
   * @throws GatewayError as `requireMember`.
   */
  async set(identity: Identity, chatId: string, isTyping: boolean): Promise<TypingChange> {
    await this.#access.requireMember(identity, chatId);
    if (identity instanceof Session && identity.ended) throw identity.ended;
    const user = { id: identity.user.id, name: identity.user.name };
    if (isTyping) await this.#start(identity, user, chatId);
    else if (this.#typists.get(chatId)?.has(user.id)) await this.stop(chatId, user.id);
    // Over HTTP each request may come to another instance.
    else if (await this.#forget(chatId, user.id)) await this.#announce(chatId, user);
    return { chatId, user, isTyping };
  }

  /** Stops the indicator of a user in a chat, if it is on. */
  async stop(chatId: string, userId: string): Promise<void> {
    const typist = this.#typists.get(chatId)?.get(userId);
    if (typist) await this.#stop(typist);
  }

  opened(): void {}

  closed(session: Session): void {
    for (const typist of this.#bySession.get(session) ?? []) {
      typist.sessions.delete(session);
      if (typist.sessions.size === 0) this.#stopLater(typist);
    }
    this.#bySession.delete(session);
  }

  close(): void {
    this.#pacer.close();
    for (const ofChat of this.#typists.values()) for (const { timer } of ofChat.values()) clearTimeout(timer);
    this.#typists.clear();
    this.#bySession.clear();
  }

  async #start(identity: Identity, user: User, chatId: string): Promise<void> {
    const ofChat = this.#typists.get(chatId) ?? new Map<string, Typist>();
    this.#typists.set(chatId, ofChat);
    const running = ofChat.get(user.id);
    const typist: Typist = running ?? { user, chatId, sessions: new Set(), timer: undefined, toldAt: -Infinity };
    ofChat.set(user.id, typist);
    clearTimeout(typist.timer);
    typist.timer = setTimeout(() => this.#stopLater(typist), this.#timeoutMs);
    if (identity instanceof Session) this.#hold(identity, typist);
    // Who goes on typing says so now and then: elsewhere the indicator would run out.
    if (performance.now() - typist.toldAt >= this.#timeoutMs / 2) await this.#announce(chatId, user);
  }

  /** At once, or, where the user has started and stopped often lately, a little later: what is published is the state of then. */
  async #announce(chatId: string, user: User): Promise<void> {
    const key = JSON.stringify([chatId, user.id]);
    if (this.#pacer.take(key, () => this.#announceLater(chatId, user))) await this.#announceNow(chatId, user);
  }

  async #announceLater(chatId: string, user: User): Promise<void> {
    try {
      await this.#announceNow(chatId, user);
    } catch (error) {
      this.#log.error({ err: error }, "a typing indicator could not be published");
    }
  }

  async #announceNow(chatId: string, user: User): Promise<void> {
    const typist = this.#typists.get(chatId)?.get(user.id);
    if (typist) return this.#tell(typist);
    await this.#forget(chatId, user.id);
    if (this.#typists.get(chatId)?.has(user.id)) return;
    await this.#publish({ type: "typing.changed", chatId, change: { chatId, user, isTyping: false } });
  }

  async #tell(typist: Typist): Promise<void> {
    const { chatId, user } = typist;
    typist.toldAt = performance.now();
    const expiresInMs = this.lifetimeMs;
    const change = toChange(typist, true);
    await whereReachable(this.#bus.expiringSets.put(typistsOf(chatId), user.id, change, expiresInMs), undefined);
    // Stopped meanwhile: what is said of that must be the last word.
    const current = this.#typists.get(chatId)?.get(user.id);
    if (current !== typist) {
      if (!current) await this.#forget(chatId, user.id);
      return;
    }
    await this.#publish({ type: "typing.changed", chatId, change, expiresInMs });
  }

  /** Resolves to whether the bus knew of it. */
  async #forget(chatId: string, userId: string): Promise<boolean> {
    return whereReachable(this.#bus.expiringSets.remove(typistsOf(chatId), userId), false);
  }

  #hold(session: Session, typist: Typist): void {
    // Gone while the REST API was asked: the timer stops it.
    if (!session.viewer.sessions.has(session)) return;
    typist.sessions.add(session);
    const held = this.#bySession.get(session) ?? new Set();
    this.#bySession.set(session, held.add(typist));
  }

  #stopLater(typist: Typist): void {
    this.#stop(typist).catch((error: unknown) =>
      this.#log.error({ err: error }, "a typing indicator could not be stopped"),
    );
  }

  async #stop(typist: Typist): Promise<void> {
    const ofChat = this.#typists.get(typist.chatId);
    if (ofChat?.get(typist.user.id) !== typist) return;
    ofChat.delete(typist.user.id);
    if (ofChat.size === 0) this.#typists.delete(typist.chatId);
    clearTimeout(typist.timer);
    for (const session of typist.sessions) this.#bySession.get(session)?.delete(typist);
    await this.#announce(typist.chatId, typist.user);
  }

  async #publish(event: TypingChanged): Promise<void> {
    await boundedWait(PUBLISHING_MS, this.#bus.publish(topicOf(event), event), undefined);
  }
}

function typistsOf(chatId: string): string {
  return `typing:${chatId}`;
}

function toChange({ chatId, user }: Typist, isTyping: boolean): TypingChange {
  return { chatId, user, isTyping };
}
