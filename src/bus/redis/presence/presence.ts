/** Who is online, by the leases of all instances. This file: the leases of this one, and how they are written to Redis. */
import { boundedEach } from "../../../bounded.ts";
import type { PresenceState, PresenceStore, PresentUser } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import type { Restoration } from "../restoration.ts";
import { ANNOUNCED, RELEASE, ENTER, LEAVE, RETURN, SETTLE, WITHDRAW } from "./scripts.ts";
import { instanceOf, leaseField } from "./fields.ts";
import { readPresence } from "./reading.ts";
import { Turns } from "./turns.ts";

/** Users whose leases are written at the same time. */
const AT_ONCE = 64;

/** How long after its end a grace is ended here that nobody has ended. */
const OVERDUE_MS = 2000;

/** What a script answers where Redis does not know what this instance had written: its loss may not have been noticed yet. */
const LOST = -1;

/** Longer than any grace. */
const ENDLESS_MS = 1e12;

/** A user with a lease here, or whose last one was removed and whose grace nobody has ended. */
interface LocalUser {
  readonly user: PresentUser;
  readonly leases: Set<string>;
  /** Whether the other instances know that the user is online. */
  isKnown: boolean;
  /** Whether Redis may have it otherwise. */
  isDirty: boolean;
  /** On this process's clock. */
  leftAt: number;
}

export interface PresenceParts {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly restoration: Pick<Restoration, "isRestored" | "restored">;
  readonly graceMs: number;
  readonly onListenerError: (error: unknown) => void;
}

export class RedisPresence implements PresenceStore {
  readonly #parts: PresenceParts;
  readonly #users = new Map<string, LocalUser>();
  readonly #turns = new Turns();
  readonly #listeners: ((user: PresentUser) => void)[] = [];
  #instanceId: string;
  /** When the next grace ends that nobody may be waiting for. */
  #recheckAt = Infinity;

  constructor(parts: PresenceParts, instanceId: string) {
    this.#parts = parts;
    this.#instanceId = instanceId;
  }

  enter(user: PresentUser, leaseId: string): Promise<boolean> {
    return this.#turns.take(user.id, async () => {
      const local = this.#users.get(user.id) ?? this.#begin(user);
      const isFirst = local.leases.size === 0;
      local.leases.add(leaseId);
      try {
        // First into the set: the instance that releases this one when it has died must not overlook anybody.
        const listed = isFirst ? this.#list(user.id) : undefined;
        const entered = this.#script(ENTER, user.id, [this.#lease(leaseId), user.name, this.#instance]);
        const [answer] = await Promise.all([entered, listed]);
        local.isKnown = true;
        return answer === 1;
      } catch {
        local.isDirty = true;
        return false;
      }
    });
  }

  leave(userId: string, leaseId: string): Promise<boolean> {
    return this.#turns.take(userId, async () => {
      const local = this.#users.get(userId);
      if (!local?.leases.delete(leaseId)) return false;
      const isLastHere = local.leases.size === 0;
      local.leftAt = performance.now();
      try {
        const answer = await this.#script(LEAVE, userId, [this.#lease(leaseId)]);
        if (answer === LOST) {
          local.isDirty = true;
          return isLastHere;
        }
        // The user is connected to another instance, which ends the grace, unless this one has something to write still.
        if (isLastHere && answer === 0 && !local.isDirty) await this.#forget(userId);
        return answer === 1;
      } catch {
        local.isDirty = true;
        return isLastHere;
      }
    });
  }

  settle(userId: string): Promise<boolean> {
    return this.#turns.take(userId, async () => {
      const local = this.#users.get(userId);
      if (local && this.#isQuiet) {
        // The user may be connected to an instance that has not written its leases yet.
        local.isDirty = true;
        return false;
      }
      try {
        const answer = await this.#script(SETTLE, userId, [this.#instance]);
        const isOffline = answer === 1;
        if (answer === LOST && local) local.isDirty = true;
        // Offline with leases here: those are not written yet.
        if (isOffline && local) local.isKnown = false;
        if (local?.leases.size === 0) {
          // It stays listed until it is announced.
          if (isOffline) this.#users.delete(userId);
          else if (!local.isDirty) await this.#forget(userId);
        }
        return isOffline;
      } catch {
        if (local) local.isDirty = true;
        return false;
      }
    });
  }

  async announced(userId: string, isOnline: boolean): Promise<void> {
    // Where it fails, it is announced once more some day.
    await this.#script(ANNOUNCED, userId, [isOnline ? 1 : 0]).catch(() => undefined);
    if (!this.#users.has(userId)) await this.#unlist(userId);
  }

  read(userIds: readonly string[]): Promise<readonly (PresenceState | undefined)[]> {
    return readPresence(this.#parts, userIds);
  }

  onTransition(listener: (user: PresentUser) => void): void {
    this.#listeners.push(listener);
  }

  /** Under a new name this instance holds nothing yet: every lease is written again. */
  rename(instanceId: string): void {
    this.#instanceId = instanceId;
    for (const local of this.#users.values()) local.isDirty = true;
  }

  /** The other instances take the users of this one for offline: that they are online is announced. */
  disbelieve(): void {
    for (const local of this.#users.values()) if (local.leases.size > 0) local.isKnown = false;
  }

  /** Users whom others know to be online, and of whom Redis lacks a lease. */
  get unwritten(): number {
    let count = 0;
    for (const { leases, isDirty, isKnown } of this.#users.values()) if (leases.size > 0 && isDirty && isKnown) count++;
    return count;
  }

  /** In how long {@link reconcile} has something to do that it had not yet; Infinity where it is not known to. */
  get dueMs(): number {
    return Math.max(1, Math.ceil(this.#recheckAt - performance.now()));
  }

  /**
   * Writes what Redis does not know, and ends the graces that nobody has ended. What cannot be written is tried again the next time; never
   * rejects.
   */
  async reconcile(): Promise<void> {
    this.#recheckAt = Infinity;
    const isQuiet = this.#isQuiet;
    const overdue = performance.now() - this.#parts.graceMs - OVERDUE_MS;
    const due = [...this.#users.values()].filter(({ leases, isDirty, isKnown, leftAt }) =>
      leases.size > 0 ? isDirty && (isKnown || !isQuiet) : !isQuiet && (isDirty || leftAt < overdue),
    );
    await boundedEach(due, AT_ONCE, (local) => this.#turns.take(local.user.id, () => this.#update(local)));
  }

  /** This instance stops. What Redis does not know of users who have left is written; the instance that releases this one ends their graces. */
  async close(): Promise<void> {
    const left = [...this.#users.values()].filter(
      ({ leases, isDirty, isKnown }) => leases.size === 0 && isDirty && isKnown,
    );
    await boundedEach(left, AT_ONCE, (local) =>
      this.#turns.take(local.user.id, async () => void (await this.#writeGrace(local, ENDLESS_MS))),
    );
  }

  /**
   * Removes the leases of a dead instance, puts users offline who have no others, and announces those whose last change it may not have
   * announced. Rejects where Redis is unreachable.
   */
  async release(instanceId: string, userIds: readonly string[], lastBeatMs: number): Promise<void> {
    const { graceMs } = this.#parts;
    await boundedEach(userIds, AT_ONCE, async (id) => {
      const args = [
        leaseField(instanceId, ""),
        this.#instance,
        graceMs,
        Math.floor(lastBeatMs),
        instanceOf(instanceId),
      ];
      const answer = await this.#script(RELEASE, id, args);
      if (typeof answer === "string") this.#tell({ id, name: answer });
      else if (typeof answer === "number" && answer > 0) await this.#adopt(id, answer);
    });
  }

  /** Nobody is announced whose state changed while Redis was unreachable: other instances may not have written their leases. */
  get #isQuiet(): boolean {
    return !this.#parts.restoration.isRestored;
  }

  /** One change of a user after the other. */
  async #update(local: LocalUser): Promise<void> {
    if (this.#users.get(local.user.id) !== local) return;
    try {
      await (local.leases.size > 0 ? this.#return(local) : this.#withdraw(local));
    } catch {
      local.isDirty = true;
    }
  }

  async #return(local: LocalUser): Promise<void> {
    const { id, name } = local.user;
    const leases = [...local.leases].map((lease) => this.#lease(lease));
    const args = [name, local.isKnown ? 1 : 0, this.#lease(""), this.#instance, ...leases];
    const [answer] = await Promise.all([this.#script(RETURN, id, args), this.#list(id)]);
    local.isKnown = true;
    local.isDirty = false;
    if (answer === 1) this.#tell(local.user);
  }

  async #withdraw(local: LocalUser): Promise<void> {
    const { id } = local.user;
    const answer = await this.#writeGrace(local, this.#parts.graceMs);
    local.isDirty = false;
    if (typeof answer === "number" && answer > 0) {
      // In the grace. Its owner may have been refused already, so it is ended here too.
      local.isDirty = true;
      this.#recheckAt = Math.min(this.#recheckAt, performance.now() + answer);
      return;
    }
    if (answer !== -1) return this.#forget(id);
    this.#users.delete(id);
    this.#tell(local.user);
  }

  /** Should this instance be gone before the grace is over, the one that releases it must not overlook the user. */
  async #writeGrace({ user: { id, name }, leftAt, isKnown }: LocalUser, graceMs: number): Promise<unknown> {
    const agoMs = Math.floor(performance.now() - leftAt);
    const args = [this.#instance, graceMs, agoMs, isKnown ? 1 : 0, name, this.#lease("")];
    const [answer] = await Promise.all([this.#script(WITHDRAW, id, args), this.#list(id)]);
    return answer;
  }

  /** In the grace when its instance died: it ends here. */
  async #adopt(id: string, remainingMs: number): Promise<void> {
    await this.#list(id);
    if (this.#users.has(id)) return;
    const local = this.#begin({ id, name: "" });
    local.isKnown = true;
    local.leftAt = performance.now() - this.#parts.graceMs + remainingMs;
  }

  #begin(user: PresentUser): LocalUser {
    const leases = new Set<string>();
    const local = {
      user,
      leases,
      isKnown: false,
      isDirty: false,
      leftAt: 0,
    };
    this.#users.set(user.id, local);
    return local;
  }

  async #forget(userId: string): Promise<void> {
    this.#users.delete(userId);
    await this.#unlist(userId);
  }

  async #unlist(userId: string): Promise<void> {
    const { connection, keys } = this.#parts;
    const set = keys.usersOf(this.#instanceId);
    // Where it fails, the instance that releases this one looks at one user for nothing.
    await connection.run(set, (client) => client.srem(set, userId)).catch(() => undefined);
  }

  async #list(userId: string): Promise<void> {
    const { connection, keys } = this.#parts;
    const set = keys.usersOf(this.#instanceId);
    await connection.run(set, (client) => client.sadd(set, userId));
  }

  #script(script: typeof ENTER, userId: string, args: readonly (string | number)[]): Promise<unknown> {
    return this.#parts.connection.script(script, [this.#parts.keys.user(userId)], args);
  }

  #lease(leaseId: string): string {
    return leaseField(this.#instanceId, leaseId);
  }

  get #instance(): string {
    return instanceOf(this.#instanceId);
  }

  #tell(user: PresentUser): void {
    for (const listener of this.#listeners) {
      try {
        listener(user);
      } catch (error) {
        this.#parts.onListenerError(error);
      }
    }
  }
}
