/**
 * The way out: one queue, in which events wait for Redis in the order of publishing, a moment while Redis is there, longer while it
 * is not.
 */
import {
  BusUnavailable,
  EVENT_ID_TTL_MS,
  LOG_MAX_EVENTS,
  type BusOptions,
  type EventKind,
  type Published,
} from "./bus.ts";
import { isPosition, type Position } from "./position.ts";
import type { RedisChannels } from "./redis-channels.ts";
import type { RedisConnection } from "./redis-connection.ts";
import type { RedisKeys } from "./redis-keys.ts";
import { defineScript, isUnknownScript, toList } from "./redis-script.ts";
import type { RedisTopics } from "./redis-topics.ts";

/** Sent without waiting for the answer to the one before. */
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

// One step, so that the log and everybody who listens have one order. An id that is known has been published.
const PUBLISH = defineScript(`
local earlier = redis.call('GET', KEYS[1])
if earlier then return {earlier, 0} end
local ms, sequence
if KEYS[3] then
  ms, sequence = tick(KEYS[3], ARGV[6])
else
  ms, sequence = following(nowMs(), 0, ARGV[6])
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  local lastMs, lastSequence = string.match(last and last[1] or '0-0', '^(%d+)-(%d+)$')
  ms, sequence = following(ms, sequence, toText(tonumber(lastMs), tonumber(lastSequence)))
end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[4], string.format('%.0f-%.0f', ms, sequence), 'event', ARGV[1])
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', nowMs() - ARGV[5]))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
local position = toText(ms, sequence)
redis.call('SET', KEYS[1], position, 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[2], '{"position":"' .. position .. '","event":' .. ARGV[1] .. '}')
return {position, 1}
`);

interface Item<Event> {
  readonly topic: string;
  readonly event: Event;
  readonly kind: EventKind;
  readonly id: string;
  readonly published: PromiseWithResolvers<Published>;
  /** Redis is away: who listens here has been given it. */
  isSettled: boolean;
  refusals: number;
  /** On this process's clock. */
  readonly at: number;
}

/** Where the log has an event, and whether it was put there now. */
interface Place {
  readonly position: Position | undefined;
  readonly isNew: boolean;
}

const NOWHERE: Place = { position: undefined, isNew: false };

interface PublisherParts<Event> {
  readonly options: BusOptions<Event>;
  readonly instanceId: string;
  readonly connection: RedisConnection;
  readonly channels: RedisChannels;
  readonly topics: RedisTopics<Event>;
  readonly keys: RedisKeys;
  /** Events that will not reach the others. */
  readonly onGivenUp: (count: number, cause?: unknown) => void;
}

export class RedisPublisher<Event> {
  readonly #parts: PublisherParts<Event>;
  #queue: Item<Event>[] = [];
  /** Published not long ago, oldest first. */
  #recent: { readonly item: Item<Event>; readonly at: number }[] = [];
  #sending: Promise<void> | undefined;
  #numbers = 0;
  #retry: NodeJS.Timeout | undefined;
  /** The text of the script is sent with the next event: this Redis does not know it. */
  #isScriptUnknown = true;

  constructor(parts: PublisherParts<Event>) {
    this.#parts = parts;
  }

  /** Events that wait for Redis to come back. */
  get queued(): number {
    return this.#queue.filter(({ isSettled }) => isSettled).length;
  }

  async publish(topic: string, event: Event): Promise<Published> {
    const { options, instanceId, topics } = this.#parts;
    const kind = options.kindOf(event);
    const id = kind === "logged" ? options.idOf(event) : `${instanceId}:${this.#numbers++}`;
    const published = Promise.withResolvers<Published>();
    const at = performance.now();
    const item: Item<Event> = { topic, event, kind, id, published, isSettled: false, refusals: 0, at };
    topics.get(topic)?.expect(id, event);
    this.#queue.push(item);
    // Behind a backlog it would be long under way, though Redis is there again.
    if (this.#isAway() || this.#queue[SENT_AT_ONCE]?.isSettled === true) {
      this.#settle(item);
      if (kind === "transient") this.#queue.pop();
    }
    if (!this.#isAway()) this.#sendSoon();
    this.#bound();
    return published.promise;
  }

  /** Redis is away: whatever waits for it is given to who listens here. */
  lost(): void {
    this.#isScriptUnknown = true;
    if (!this.#sending) this.#settleHere(this.#queue);
  }

  /** Redis is there. `isEmptied`: it has forgotten what it was told. */
  resume(isEmptied: boolean): void {
    if (isEmptied) this.#repeat();
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#sendSoon();
  }

  /** Resolves when nothing waits any more, or nothing can be sent. */
  async drained(): Promise<void> {
    while (this.#sending) await this.#sending;
    clearTimeout(this.#retry);
  }

  #isAway(): boolean {
    return !this.#parts.connection.hasCommands || this.#retry !== undefined;
  }

  /** In the next microtask, so that what is published in one turn goes out together. */
  #sendSoon(): void {
    this.#sending ??= Promise.resolve()
      .then(() => this.#send())
      .finally(() => {
        this.#sending = undefined;
        // Published between the last look at the queue and now.
        if (this.#queue.length > 0 && !this.#isAway()) this.#sendSoon();
      });
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isAway()) {
      // Alone where it takes the script along: were it sent behind others, it would overtake those that Redis does not understand.
      const isAlone = this.#isScriptUnknown && !this.#parts.connection.isCluster;
      const batch = this.#queue.slice(0, isAlone ? 1 : SENT_AT_ONCE);
      const answers = await Promise.allSettled(batch.map((item) => this.#sendOne(item)));
      const failed = answers.findIndex(({ status }) => status === "rejected");
      const sent = failed === -1 ? batch.length : failed;
      this.#accept(batch.slice(0, sent), answers);
      const failure = answers[failed];
      if (failure?.status === "rejected") this.#refused(batch[failed], failure.reason);
      this.#settleOverdue();
    }
    if (this.#isAway()) this.#settleHere(this.#queue);
  }

  async #sendOne({ topic, event, kind, id }: Item<Event>): Promise<Place> {
    const { connection, channels, topics, keys, options } = this.#parts;
    const channel = keys.channel(topic);
    if (kind !== "logged") {
      await connection.run(() => channels.publish(channel, { key: id, event }));
      return NOWHERE;
    }
    const names = [keys.eventId(topic, id), keys.log(topic), ...(connection.isCluster ? [] : [keys.clock])];
    const args = [
      JSON.stringify(event),
      channel,
      EVENT_ID_TTL_MS,
      LOG_MAX_EVENTS,
      Math.ceil(options.logAgeMs),
      topics.heard,
    ];
    const answer = await connection.run((client) =>
      this.#isScriptUnknown
        ? client.eval(PUBLISH.text, names.length, ...names, ...args)
        : client.evalsha(PUBLISH.sha, names.length, ...names, ...args),
    );
    const [position, isNew] = toList(answer);
    return typeof position === "string" && isPosition(position) ? { position, isNew: isNew === 1 } : NOWHERE;
  }

  /** Those are out, in the order of the queue. */
  #accept(items: readonly Item<Event>[], answers: readonly PromiseSettledResult<Place>[]): void {
    const done = new Set(items);
    this.#queue = this.#queue.filter((item) => !done.has(item));
    for (const [index, item] of items.entries()) {
      const answer = answers[index];
      const { position, isNew } = answer?.status === "fulfilled" ? answer.value : NOWHERE;
      this.#parts.topics.get(item.topic)?.published(item.id, isNew ? position : undefined);
      item.published.resolve({ reach: "everywhere", position });
      if (item.kind === "logged") {
        this.#remember(item);
        // The nodes of a cluster would have to be told one by one: they get the text every time.
        this.#isScriptUnknown &&= this.#parts.connection.isCluster;
      }
    }
  }

  /** What failed, and all behind it, is sent again, in that order; that it had been done after all is told by its id. */
  #refused(item: Item<Event> | undefined, reason: unknown): void {
    const cause = reason instanceof BusUnavailable ? reason.cause : reason;
    if (isUnknownScript(cause)) {
      this.#isScriptUnknown = true;
      return;
    }
    if (!item || !this.#parts.connection.hasCommands) return;
    if (++item.refusals >= MAX_REFUSALS) {
      this.#settleHere([item]);
      this.#queue = this.#queue.filter((other) => other !== item);
      this.#parts.onGivenUp(1, cause);
    }
    this.#retry ??= setTimeout(() => this.resume(false), RETRY_MS);
  }

  /** Gives what waits to who listens here, and lets go of what is not worth sending late. */
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
   * Redis has answered for events, and died before everybody had them. Whoever published one publishes it again; those who had it
   * know it by its id, and the log has something to begin with. They go before what has waited, as they were published before it.
   */
  #repeat(): void {
    const oldest = performance.now() - REPEATED_MS;
    const again = this.#recent.filter(({ at }) => at >= oldest).slice(-MAX_REPEATED);
    this.#recent = [];
    this.#queue = [...again.map(({ item }) => ({ ...item, isSettled: true, refusals: 0 })), ...this.#queue];
  }
}
