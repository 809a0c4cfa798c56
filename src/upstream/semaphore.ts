/** Permits that users share: nobody has more than a share of them, and whoever waits is admitted user by user. */
import type { Deadline, DeadlineListener } from "./deadline.ts";

/** What one user has and wants. */
class UserQueue {
  readonly user: string;
  readonly waiting = new Set<Waiter>();
  permits = 0;

  constructor(user: string) {
    this.user = user;
  }
}

class Waiter implements DeadlineListener {
  readonly #queue: UserQueue;
  readonly #deadline: Deadline;
  readonly #onLeave: (queue: UserQueue) => void;
  readonly #admission = Promise.withResolvers<boolean>();

  constructor(queue: UserQueue, deadline: Deadline, onLeave: (queue: UserQueue) => void) {
    this.#queue = queue;
    this.#deadline = deadline;
    this.#onLeave = onLeave;
    deadline.listener = this;
  }

  get admission(): Promise<boolean> {
    return this.#admission.promise;
  }

  admit(): void {
    this.#deadline.listener = undefined;
    this.#queue.waiting.delete(this);
    this.#admission.resolve(true);
  }

  onExpiry(): void {
    this.#queue.waiting.delete(this);
    this.#onLeave(this.#queue);
    this.#admission.resolve(false);
  }
}

/**
 * A semaphore with a queue for each user. A permit that is released goes to the next user in turn, however many requests another one
 * has waiting; one user's requests are admitted in order.
 */
export class FairSemaphore {
  readonly #share: number;
  readonly #users = new Map<string, UserQueue>();
  /** The users that wait and may have another permit; the next one first. */
  readonly #turns = new Set<UserQueue>();
  readonly #onLeave = (queue: UserQueue): void => this.#forget(queue);
  #free: number;
  #inUse = 0;
  #waiting = 0;

  /** @param share the permits that one user may have at a time. */
  constructor(permits: number, share: number) {
    this.#free = permits;
    this.#share = share;
  }

  /** Permits that are in use. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Requests that wait for a permit. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a permit, to be given back with {@link release}, where the user may have one now. */
  tryAcquire(user: string): boolean {
    if (this.#free === 0) return false;
    const queue = this.#queueOf(user);
    if (queue.permits >= this.#share) return false;
    this.#grant(queue);
    return true;
  }

  /** Resolves to whether the user got a permit before the deadline. */
  async acquire(user: string, deadline: Deadline): Promise<boolean> {
    if (this.tryAcquire(user)) return true;
    const queue = this.#queueOf(user);
    const waiter = new Waiter(queue, deadline, this.#onLeave);
    queue.waiting.add(waiter);
    this.#waiting++;
    if (queue.permits < this.#share) this.#turns.add(queue);
    const isAdmitted = await waiter.admission;
    this.#waiting--;
    return isAdmitted;
  }

  release(user: string): void {
    const queue = this.#queueOf(user);
    queue.permits--;
    this.#inUse--;
    this.#free++;
    // Behind the users that were waiting already.
    if (queue.waiting.size > 0) this.#turns.add(queue);
    this.#admitNext();
    this.#forget(queue);
  }

  #admitNext(): void {
    const [next] = this.#turns;
    if (next === undefined || this.#free === 0) return;
    this.#turns.delete(next);
    const [waiter] = next.waiting;
    if (waiter === undefined) return;
    this.#grant(next);
    waiter.admit();
    if (next.waiting.size > 0 && next.permits < this.#share) this.#turns.add(next);
  }

  #grant(queue: UserQueue): void {
    queue.permits++;
    this.#inUse++;
    this.#free--;
  }

  #queueOf(user: string): UserQueue {
    let queue = this.#users.get(user);
    if (!queue) {
      queue = new UserQueue(user);
      this.#users.set(user, queue);
    }
    return queue;
  }

  #forget(queue: UserQueue): void {
    if (queue.waiting.size === 0) this.#turns.delete(queue);
    if (queue.waiting.size === 0 && queue.permits === 0) this.#users.delete(queue.user);
  }
}
