/** Who is online: a connection is a lease; transitions are published once. */
import { boundedWait } from "../bounded.ts";
import { whereReachable, type Bus, type PresenceState } from "../bus/bus.ts";
import type { Log } from "../log.ts";
import type { PresenceChanged } from "./events/presence-changed.ts";
import { topicOf, type BusEvent } from "./events/registry.ts";
import type { Presence as PresenceValue, User } from "./model.ts";
import { Pacer } from "./pacer.ts";
import type { Session } from "./session.ts";
import type { SessionListener } from "./sessions.ts";

/** Changes of one user that are published at once, and how long it takes until there may be another one. */
const BURST = 5;
const INTERVAL_MS = 1000;

/** How long a gateway that closes waits for what it still has to announce. */
const CLOSE_MS = 1000;

/** Before another attempt to announce what could not be read or published. */
const RETRY_MS = 1000;

export interface KnownPresences {
  readonly presences: readonly PresenceValue[];
  /** Whether those of all users that were asked for are known. */
  readonly isComplete: boolean;
}

interface Unpublished {
  readonly user: User;
  /** The state that was announced last: where it is still so, nothing more is announced. */
  readonly announced: boolean | undefined;
}

type PresenceBus = Pick<Bus<BusEvent>, "presence" | "publish" | "observe">;

export class Presence implements SessionListener {
  readonly #bus: PresenceBus;
  readonly #graceMs: number;
  readonly #log: Log;
  /** The last step of each session's lease that is under way: a release must not overtake the entry. */
  readonly #steps = new Map<string, Promise<void>>();
  readonly #graceTimers = new Map<string, NodeJS.Timeout>();
  /** The sessions of each user that is connected here: all that is known while the bus cannot be reached. */
  readonly #here = new Map<string, number>();
  /** Users whose change could not be read, published, or read again afterwards, by id. */
  readonly #unpublished = new Map<string, Unpublished>();
  readonly #pacer = new Pacer(BURST, INTERVAL_MS);
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #stopObserving: () => void;

  constructor(bus: PresenceBus, graceMs: number, log: Log) {
    this.#bus = bus;
    this.#graceMs = graceMs;
    this.#log = log;
    bus.presence.onTransition((user) => this.#announceSoon(user));
    this.#stopObserving = bus.observe({
      restored: () => this.#announceUnpublished(),
    });
  }

  /** The presence of each of these users, in their order. Whom the bus cannot tell of is offline, unless connected here. */
  async of(users: readonly User[]): Promise<readonly PresenceValue[]> {
    const states = await this.#read(users);
    return users.map((user, index) => states[index] ?? toPresence(user, this.#stateHere(user.id)));
  }

  /** The presence of each of these users, in their order. Whom the bus cannot tell of is left out, unless connected here. */
  async known(users: readonly User[]): Promise<KnownPresences> {
    const states = await this.#read(users);
    const presences = users.flatMap(
      (user, index) => states[index] ?? (this.#here.has(user.id) ? toPresence(user, this.#stateHere(user.id)) : []),
    );
    return { presences, isComplete: users.every((_, index) => states[index]) };
  }

  /**
   * What an instance announced has arrived. A command that was held up on its way to the bus may be executed late: where a user is online here
   * and was announced to be offline, the contrary is announced.
   */
  heard({ user, online }: PresenceValue): void {
    if (!online && this.#here.has(user.id)) void this.#logFailure(this.#correct(user));
  }

  opened(session: Session): void {
    this.#count(session.user.id, 1);
    this.#step(session, async () => {
      clearTimeout(this.#graceTimers.get(session.user.id));
      if (await this.#bus.presence.enter({ id: session.user.id, name: session.user.name }, session.id))
        await this.#announce(session.user);
    });
  }

  closed(session: Session): void {
    this.#count(session.user.id, -1);
    this.#step(session, async () => {
      if (await this.#bus.presence.leave(session.user.id, session.id)) this.#startGrace(session.user);
    });
  }

  /** Resolves when every step under way is done and no timer is left. Users of a gateway that closes are not put offline by it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopObserving();
    clearTimeout(this.#retry);
    await Promise.all(this.#steps.values());
    // What is put off here nobody else would announce.
    const announcing = this.#pacer.close().map((announce) => announce());
    await boundedWait(CLOSE_MS, Promise.all(announcing), undefined);
    for (const timer of this.#graceTimers.values()) clearTimeout(timer);
    this.#graceTimers.clear();
  }

  /** Empty where the bus cannot be reached; undefined where it cannot tell of a user yet. */
  async #read(users: readonly User[]): Promise<readonly (PresenceValue | undefined)[]> {
    const states = await whereReachable(this.#bus.presence.read(users.map((user) => user.id)), []);
    return states.map((state, index) => {
      const user = users[index];
      return user && state && toPresence(user, state);
    });
  }

  #stateHere(userId: string): PresenceState {
    return { online: this.#here.has(userId), lastSeenAt: undefined };
  }

  #count(userId: string, change: number): void {
    const count = (this.#here.get(userId) ?? 0) + change;
    if (count > 0) this.#here.set(userId, count);
    else this.#here.delete(userId);
  }

  #step(session: Session, work: () => Promise<void>): void {
    const step = (this.#steps.get(session.id) ?? Promise.resolve())
      .then(work)
      .catch((error: unknown) => this.#log.error({ err: error }, "presence could not be recorded"))
      .finally(() => {
        if (this.#steps.get(session.id) === step) this.#steps.delete(session.id);
      });
    this.#steps.set(session.id, step);
  }

  /** A page that reloads is back within the grace, and no event is published: `settle` finds its new lease. */
  #startGrace(user: User): void {
    clearTimeout(this.#graceTimers.get(user.id));
    const timer = setTimeout(() => {
      this.#graceTimers.delete(user.id);
      this.#settle(user).catch((error: unknown) => this.#log.error({ err: error }, "a user could not be put offline"));
    }, this.#graceMs);
    this.#graceTimers.set(user.id, timer);
  }

  async #settle(user: User): Promise<void> {
    if (await this.#bus.presence.settle(user.id)) await this.#announce(user);
  }

  #announceSoon(user: User, announced?: boolean): void {
    void this.#logFailure(this.#announce(user, announced));
  }

  #announceUnpublished(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const unpublished = [...this.#unpublished.values()];
    this.#unpublished.clear();
    for (const { user, announced } of unpublished) this.#announceSoon(user, announced);
  }

  /** At once, or, where the user has come and gone often lately, a little later: what is published is the state of then. */
  async #announce(user: User, announced?: boolean): Promise<void> {
    const now = (): Promise<void> => this.#announceNow(user, announced);
    if (this.#pacer.take(user.id, () => this.#logFailure(now()))) await now();
  }

  /** Never rejects. */
  async #logFailure(announcing: Promise<void>): Promise<void> {
    try {
      await announcing;
    } catch (error) {
      this.#log.error({ err: error }, "a presence could not be announced");
    }
  }

  /**
   * Announced by another instance in between, the contrary would stand before this on the bus: the last word has to be true. What cannot be read is
   * not guessed: the user may be with another instance.
   *
   * @param announced the state that was announced last, and could not be read again afterwards.
   */
  async #announceNow(user: User, announced?: boolean): Promise<void> {
    let last = announced;
    for (;;) {
      const presence = await this.#readOne(user);
      if (presence?.online === last && last !== undefined) return;
      if (!presence || !(await this.#tell(presence))) return this.#tellLater(user, last);
      last = presence.online;
    }
  }

  async #correct(user: User): Promise<void> {
    const presence = await this.#readOne(user);
    // Nobody else may be looking: it is announced when it can be read.
    if (!presence) this.#tellLater(user);
    else if (presence.online) await this.#announce(user);
  }

  async #readOne(user: User): Promise<PresenceValue | undefined> {
    return (await this.#read([user]))[0];
  }

  /** Resolves to whether it was published. */
  async #tell(presence: PresenceValue): Promise<boolean> {
    const event: PresenceChanged = { type: "presence.changed", presence };
    const { isDropped } = await this.#bus.publish(topicOf(event), event);
    if (!isDropped) await this.#bus.presence.announced(presence.user.id, presence.online);
    return !isDropped;
  }

  /** When the bus is back, or after a moment: it may be slow, or refuse, without being disconnected. */
  #tellLater({ id, name }: User, announced?: boolean): void {
    this.#unpublished.set(id, { user: { id, name }, announced });
    if (this.#isClosed) return;
    const again = (): void => this.#announceUnpublished();
    this.#retry ??= setTimeout(again, RETRY_MS).unref();
  }
}

function toPresence({ id, name }: User, { online, lastSeenAt }: PresenceState): PresenceValue {
  return { user: { id, name }, online, lastSeenAt: lastSeenAt ?? null };
}
