/**
 * The way out: a queue, in which events wait for Redis in the order of publishing, a moment while Redis is there, longer while it,
 * or the part of it that they belong to, is not.
 */
import { BusUnavailable, type BusOptions, type Published } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { isUnknownScript } from "../script.ts";
import { NOWHERE, type Outgoing, type Place, type RedisSender } from "./sender.ts";
import type { RedisShard } from "../connection/shard.ts";
import type { RedisTopics } from "./topics.ts";

/** Sent to one server without waiting for the answer to the one before. */
const SENT_AT_ONCE = 128;

/** Events that wait at most; then the oldest are given up. */
const MAX_QUEUED = 10_000;

/** A Redis that has lost its memory is told again what was published in so long a time before. */
export const REPEATED_MS = 10_000;
const MAX_REPEATED = 5000;

/** What has waited so long, though Redis is there, is not waited for any longer. */
const OVERDUE_MS = 500;

/** After a refusal by a Redis that is there. */
const RETRY_MS = 250;

/** An event that Redis refuses so often is one that it will never take. */
const MAX_REFUSALS = 20;

/** Failures that say nothing of the event: slots are on their way, or without a master, or a server starts, or is slow, or gone. */
const PASSING =
  /^(CLUSTERDOWN|TRYAGAIN|MOVED|ASK|LOADING|MASTERDOWN|READONLY|Too many Cluster redirections|Connection is closed|Command timed out|no answer)/;

interface Item<Event> extends Outgoing<Event> {
  /** Of its channel: who has the slot has the event. */
  readonly slot: number;
  readonly published: PromiseWithResolvers<Published>;
  /** Redis is away: who listens here has been given it. */
  isSettled: boolean;
  refusals: number;
  /** On this process's clock. */
  readonly at: number;
}

interface PublisherParts<Event> {
  readonly options: BusOptions<Event>;
  readonly instanceId: string;
  readonly connection: RedisConnection;
  readonly topics: RedisTopics<Event>;
  readonly sender: RedisSender<Event>;
  readonly keys: RedisKeys;
  /** Events that will not reach the others. */
  readonly onGivenUp: (count: number, cause?: unknown) => void;
}

export class RedisPublisher<Event> {
  readonly #parts: PublisherParts<Event>;
  #queue: Item<Event>[] = [];
  /** Published not long ago, oldest first. */
  #recent: { readonly item: Item<Event>; readonly at: number }[] = [];
  /** To each server for itself: one that does not answer holds nobody else up. */
  readonly #sending = new Map<RedisShard, Promise<void>>();
  /** Those for which more is queued than is sent at once, since they were away. */
  readonly #behind = new Set<RedisShard>();
  /** Lanes of which something is under way. */
  readonly #busy = new Set<string>();
  /** Lanes that have been refused by a server that is there. */
  readonly #blocked = new Map<string, NodeJS.Timeout>();
  #numbers = 0;

  constructor(parts: PublisherParts<Event>) {
    this.#parts = parts;
  }

  /** Events that wait for Redis to come back. */
  get queued(): number {
    return this.#queue.filter(({ isSettled }) => isSettled).length;
  }

  async publish(topic: string, event: Event): Promise<Published> {
    const { options, instanceId, topics, keys, connection } = this.#parts;
    const kind = options.kindOf(event);
    const id = kind === "logged" ? options.idOf(event) : `${instanceId}:${this.#numbers++}`;
    const slot = connection.shards.slot(keys.channel(topic));
    const published = Promise.withResolvers<Published>();
    const at = performance.now();
    const item: Item<Event> = { topic, event, kind, id, slot, published, isSettled: false, refusals: 0, at };
    topics.get(topic)?.expect(id, event);
    this.#queue.push(item);
    const shard = connection.shards.at(slot);
    const isAway = this.#isAway(item);
    // Behind a backlog it would be long under way, though Redis is there again.
    if (isAway || (shard && this.#behind.has(shard))) {
      this.#settle(item);
      if (kind === "transient") this.#queue.pop();
    }
    if (!isAway && shard) this.#sendSoon(shard);
    this.#bound();
    return published.promise;
  }

  /** Redis, or a part of it, is away: whatever waits for it is given to who listens here. */
  lost(): void {
    this.#parts.sender.forget();
    this.#settleAway();
  }

  /** The server takes commands. `isEmptied`: it has forgotten what it was told. */
  resume(shard: RedisShard, isEmptied: boolean): void {
    if (isEmptied) this.#repeat(shard);
    for (const timer of this.#blocked.values()) clearTimeout(timer);
    this.#blocked.clear();
    this.flush();
  }

  /** Sends whatever can be sent, to whichever server it belongs to by now. */
  flush(): void {
    for (const shard of this.#parts.connection.shards.all) this.#sendSoon(shard);
  }

  /** Resolves when nothing waits any more, or nothing can be sent. */
  async drained(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending.values());
    for (const timer of this.#blocked.values()) clearTimeout(timer);
  }

  #isAway(item: Item<Event>): boolean {
    const { connection, sender } = this.#parts;
    const shard = connection.shards.at(item.slot);
    if (!connection.hasCommands || !shard || shard.isServing === false) return true;
    return this.#blocked.has(sender.laneOf(item));
  }

  /** In the next microtask, so that what is published in one turn goes out together. */
  #sendSoon(shard: RedisShard): void {
    if (this.#sending.has(shard)) return;
    const sending = Promise.resolve()
      .then(() => this.#send(shard))
      .finally(() => {
        this.#sending.delete(shard);
        // Published between the last look at the queue and now; or what another server had under way, until its slot came here.
        for (const other of this.#parts.connection.shards.all) if (this.#next(other).length > 0) this.#sendSoon(other);
      });
    this.#sending.set(shard, sending);
  }

  async #send(shard: RedisShard): Promise<void> {
    const { sender } = this.#parts;
    for (let batch = this.#next(shard); batch.length > 0; batch = this.#next(shard)) {
      const lanes = new Set(batch.map((item) => sender.laneOf(item)));
      for (const lane of lanes) this.#busy.add(lane);
      const runs = sender.runsOf(batch);
      const answers = await Promise.allSettled(runs.map((run) => sender.send(run)));
      for (const lane of lanes) this.#busy.delete(lane);
      this.#conclude(runs, answers);
      this.#settleOverdue();
    }
    this.#settleAway();
  }

  /** What goes out next to that server, in the order of publishing; nothing of a lane of which something is under way. */
  #next(shard: RedisShard): readonly Item<Event>[] {
    const { connection, sender } = this.#parts;
    this.#behind.delete(shard);
    if (shard.isServing !== true) return [];
    const count = sender.isAlone ? 1 : SENT_AT_ONCE;
    const refused = new Set<string>();
    const batch: Item<Event>[] = [];
    for (const item of this.#queue) {
      const lane = sender.laneOf(item);
      if (connection.shards.at(item.slot) !== shard || this.#isAway(item)) continue;
      if (this.#busy.has(lane) || refused.has(lane)) continue;
      batch.push(item);
      // Alone, so that it is known whether it is the one which is refused.
      if (item.refusals > 0) refused.add(lane);
      if (batch.length === count) break;
    }
    if (batch[SENT_AT_ONCE - 1]?.isSettled === true) this.#behind.add(shard);
    return batch;
  }

  /**
   * In each lane what failed, and all behind it, is sent again, in that order; that it had been done after all is told by its id. What
   * was before it is out.
   */
  #conclude(
    runs: readonly (readonly Item<Event>[])[],
    answers: readonly PromiseSettledResult<readonly Place[]>[],
  ): void {
    const failed = new Map<string, { readonly item: Item<Event>; readonly reason: unknown }>();
    const done = new Map<Item<Event>, Place>();
    for (const [index, run] of runs.entries()) {
      const [first] = run;
      const answer = answers[index];
      if (!first || !answer) continue;
      const lane = this.#parts.sender.laneOf(first);
      if (failed.has(lane)) continue;
      if (answer.status === "rejected") failed.set(lane, { item: first, reason: answer.reason });
      else for (const [place, item] of run.entries()) done.set(item, answer.value[place] ?? NOWHERE);
    }
    this.#queue = this.#queue.filter((item) => !done.has(item));
    for (const [item, place] of done) this.#accept(item, place);
    for (const [lane, { item, reason }] of failed) this.#refused(lane, item, reason);
  }

  #accept(item: Item<Event>, { position, isNew }: Place): void {
    const { topics } = this.#parts;
    topics.get(item.topic)?.published(item.id, isNew ? position : undefined);
    // What is published next comes after it, on whichever node of a cluster.
    if (position !== undefined) topics.hear(position);
    item.published.resolve({ reach: "everywhere", position });
    if (item.kind === "logged") this.#remember(item);
  }

  #refused(lane: string, item: Item<Event>, reason: unknown): void {
    const cause = reason instanceof BusUnavailable ? reason.cause : reason;
    if (isUnknownScript(cause)) return;
    // When its server is there again it is sent again.
    if (this.#parts.connection.shards.at(item.slot)?.isServing !== true) return;
    const isPassing = cause instanceof Error && PASSING.test(cause.message);
    if (!isPassing && ++item.refusals >= MAX_REFUSALS) {
      this.#settleHere([item]);
      this.#queue = this.#queue.filter((other) => other !== item);
      this.#parts.onGivenUp(1, cause);
    }
    clearTimeout(this.#blocked.get(lane));
    this.#blocked.set(
      lane,
      setTimeout(() => this.#unblock(lane), RETRY_MS),
    );
  }

  #unblock(lane: string): void {
    this.#blocked.delete(lane);
    this.flush();
  }

  /** Gives what waits for nobody knows how long to who listens here; what is under way may be answered yet. */
  #settleAway(): void {
    const { sender } = this.#parts;
    this.#settleHere(this.#queue.filter((item) => this.#isAway(item) && !this.#busy.has(sender.laneOf(item))));
  }

  /** Gives it to who listens here, and lets go of what is not worth sending late. */
  #settleHere(items: readonly Item<Event>[]): void {
    for (const item of items) this.#settle(item);
    this.#queue = this.#queue.filter(({ kind, isSettled }) => kind !== "transient" || !isSettled);
  }

  /** Redis takes less than is published: who listens here does not wait for that, nor who publishes. */
  #settleOverdue(): void {
    const since = performance.now() - OVERDUE_MS;
    for (const item of this.#queue) {
      if (item.at > since) break;
      this.#settle(item);
    }
  }

  #settle(item: Item<Event>): void {
    if (item.isSettled) return;
    item.isSettled = true;
    this.#parts.topics.get(item.topic)?.giveExpected(item.id);
    item.published.resolve({ reach: "here", position: undefined });
  }

  /** The oldest go first: who comes back after long asks the REST API anyway. In slices, so that a full queue is not cut at every event. */
  #bound(): void {
    if (this.#queue.length < MAX_QUEUED + MAX_QUEUED / 10) return;
    const excess = this.#queue.slice(0, -MAX_QUEUED);
    this.#queue = this.#queue.slice(-MAX_QUEUED);
    for (const item of excess) this.#settle(item);
    this.#parts.onGivenUp(excess.length);
  }

  #remember(item: Item<Event>): void {
    const now = performance.now();
    this.#recent.push({ item, at: now });
    // In slices, so that a busy queue is not shifted at every event.
    if (this.#recent.length < 2 * MAX_REPEATED) return;
    this.#recent = this.#recent.slice(-MAX_REPEATED);
  }

  /**
   * The server has answered for events, and died before everybody had them. Whoever published one publishes it again; those who had it
   * know it by its id, and the log has something to begin with. They go before what has waited, as they were published before it.
   */
  #repeat(shard: RedisShard): void {
    const oldest = performance.now() - REPEATED_MS;
    const { shards } = this.#parts.connection;
    const isThere = ({ item }: { readonly item: Item<Event> }): boolean => shards.at(item.slot) === shard;
    const again = this.#recent.filter((entry) => entry.at >= oldest && isThere(entry)).slice(-MAX_REPEATED);
    this.#recent = this.#recent.filter((entry) => !isThere(entry));
    this.#queue = [...again.map(({ item }) => ({ ...item, isSettled: true, refusals: 0 })), ...this.#queue];
  }
}
