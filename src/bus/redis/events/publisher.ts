/**
 * Publishing: for each topic a queue, from which one batch at a time goes to Redis. What Redis refuses, or cannot be reached for, is
 * sent again, in its order, for as long as it takes.
 */
import type { BusOptions, EventKind, PublishResult } from "../../bus.ts";
import type { Position } from "../../position.ts";
import { isPositionText } from "./message.ts";
import { batchOf, byTime, outgoing, type Outgoing } from "./outgoing.ts";
import { runPublication, type PublicationParts } from "./publication.ts";
import type { RecentEvents } from "./recent-events.ts";

/**
 * Events of each kind that wait at most. Beyond that a topic's durable events are dropped, and its listeners recover them from elsewhere;
 * transient ones, which take no place of those, are dropped one by one.
 */
const MAX_QUEUED = 10_000;

/** Between attempts, doubled each time, with jitter. */
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1000;

/** What waits for one topic. */
interface Queue<Event> {
  readonly topic: string;
  items: Outgoing<Event>[];
  isSending: boolean;
  /** Its events have waited for Redis, or are published again. */
  hasWaited: boolean;
  /** Durable events were dropped since the queue was full. */
  hasDropped: boolean;
  retryMs: number;
  retry: NodeJS.Timeout | undefined;
}

interface PublisherParts<Event> extends PublicationParts<Event> {
  readonly options: Pick<BusOptions<Event>, "compactionOf" | "idOf" | "kindOf" | "logAgeMs" | "timeOf">;
  readonly recent: RecentEvents<Event>;
  readonly onPosition: (position: Position) => void;
  /** Redis refuses an event, which waits. Called for each refusal. */
  readonly onRefused: (error: unknown) => void;
  /** No event waits any more that Redis has refused. */
  readonly onAccepted: () => void;
  /** Durable events of a topic are dropped from now on, until its queue is empty. Called once each time. */
  readonly onDropping: (topic: string) => void;
}

export class RedisPublisher<Event> {
  readonly #parts: PublisherParts<Event>;
  readonly #queues = new Map<string, Queue<Event>>();
  readonly #sending = new Set<Promise<void>>();
  /** Topics of which an event waits that Redis has refused. */
  readonly #refused = new Set<string>();
  readonly #counts: Record<EventKind, number> = { durable: 0, transient: 0 };
  #dropped = 0;
  #isClosed = false;

  constructor(parts: PublisherParts<Event>) {
    this.#parts = parts;
  }

  /** Events that wait. */
  get queued(): number {
    return this.#counts.durable + this.#counts.transient;
  }

  /** Durable events that were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @throws EventRefused where the event cannot be written as JSON, or is too large. */
  publish(topic: string, event: Event): Promise<PublishResult> {
    const { options, connection } = this.#parts;
    const kind = options.kindOf(event);
    const isFull = this.#counts[kind] >= MAX_QUEUED;
    if (kind === "transient" && (isFull || !connection.hasCommands)) return DROPPED;
    const isDurable = kind === "durable";
    const item = outgoing({
      event,
      kind,
      id: isDurable ? options.idOf(event) : "",
      compaction: isDurable ? options.compactionOf?.(event) : undefined,
    });
    const queue = this.#queue(topic);
    if (isDurable && (queue.hasDropped || isFull)) return this.#drop(queue);
    queue.items.push(item);
    this.#counts[kind]++;
    this.#send(queue);
    return item.result.promise;
  }

  /** Publishes again what Redis had before it lost its memory. It goes before what waits. Resolves when Redis has it. */
  async restore(topic: string): Promise<void> {
    const restorable = this.#parts.recent.restorable(topic);
    await Promise.all(
      this.#unshift(
        topic,
        restorable.map(({ event, position }) => ({ event, original: position })),
      ),
    );
  }

  /**
   * Adds events that were found elsewhere to the log, where it does not have them. Resolves to the position of each.
   *
   * @param isOrderedByTime whether they go, by their time, before what this process of Redis was told; else they are its latest events.
   */
  async recover(
    topic: string,
    found: readonly { readonly event: Event; readonly atMs: number }[],
    isOrderedByTime: boolean,
  ): Promise<(Position | undefined)[]> {
    const events = found.map(({ event, atMs }) => ({ event, original: isOrderedByTime ? byTime(atMs) : "" }));
    return (await Promise.all(this.#unshift(topic, events))).map(({ position }) => position);
  }

  /** Resolves when nothing that waits for the topic now is still waiting. */
  async drained(topic: string): Promise<void> {
    await this.#queues.get(topic)?.items.at(-1)?.result.promise;
  }

  /** Redis is connected: whatever waits is sent. */
  resume(): void {
    for (const queue of this.#queues.values()) {
      clearTimeout(queue.retry);
      queue.retry = undefined;
      this.#send(queue);
    }
  }

  /** Sends nothing more. What still waits is dropped. */
  close(): void {
    this.#isClosed = true;
    for (const queue of this.#queues.values()) {
      clearTimeout(queue.retry);
      for (const { result } of queue.items) result.resolve({ position: undefined, isDropped: true });
      this.#remove(queue, new Set(queue.items));
      queue.hasDropped = false;
    }
    this.#queues.clear();
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#queues.size > 0) {
      await Promise.all(
        [...this.#queues.values()].flatMap(({ items }) => items.slice(-1).map(({ result }) => result.promise)),
      );
      await Promise.all(this.#sending);
      // Only what was dropped is left to be reported.
      if (this.queued === 0 && this.#sending.size === 0) return;
    }
  }

  #queue(topic: string): Queue<Event> {
    let queue = this.#queues.get(topic);
    if (!queue) {
      queue = {
        topic,
        items: [],
        isSending: false,
        hasWaited: false,
        hasDropped: false,
        retryMs: RETRY_MIN_MS,
        retry: undefined,
      };
      this.#queues.set(topic, queue);
    }
    return queue;
  }

  #drop(queue: Queue<Event>): Promise<PublishResult> {
    if (!queue.hasDropped) this.#parts.onDropping(queue.topic);
    queue.hasDropped = true;
    this.#dropped++;
    // Only that has to be said of the topic when Redis is back.
    this.#send(queue);
    return DROPPED;
  }

  #unshift(
    topic: string,
    events: readonly { readonly event: Event; readonly original: string }[],
  ): readonly Promise<PublishResult>[] {
    if (events.length === 0 || this.#isClosed) return [];
    const queue = this.#queue(topic);
    const { compactionOf, idOf } = this.#parts.options;
    const items = events.map(({ event, original }) =>
      outgoing({ event, kind: "durable", id: idOf(event), compaction: compactionOf?.(event), original }),
    );
    queue.items = [...items, ...queue.items];
    queue.hasWaited = true;
    this.#counts.durable += items.length;
    this.#send(queue);
    return items.map(({ result }) => result.promise);
  }

  /** In the next microtask, so that what is published in one turn goes out together. */
  #send(queue: Queue<Event>): void {
    if (queue.isSending) return;
    if (queue.retry !== undefined || !this.#parts.connection.hasCommands) {
      queue.hasWaited = true;
      return;
    }
    queue.isSending = true;
    const sending = Promise.resolve()
      .then(() => this.#sendAll(queue))
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  async #sendAll(queue: Queue<Event>): Promise<void> {
    while (queue.items.length > 0 || queue.hasDropped) {
      const batch = batchOf(queue.items);
      const endsDropping = queue.hasDropped && batch.length === queue.items.length;
      // What is dropped from now on is reported by the next batch.
      if (endsDropping) queue.hasDropped = false;
      let answer: readonly unknown[];
      try {
        answer = await runPublication(this.#parts, queue.topic, batch, { endsDropping, hasWaited: queue.hasWaited });
      } catch (error) {
        queue.isSending = false;
        queue.hasDropped ||= endsDropping;
        this.#failed(queue, batch, error);
        return;
      }
      // Restored events may have been put before it meanwhile.
      this.#remove(queue, new Set(batch));
      queue.retryMs = RETRY_MIN_MS;
      this.#accepted(queue);
      for (const [index, item] of batch.entries()) this.#accept(queue.topic, item, answer[2 * index]);
    }
    queue.isSending = false;
    this.#queues.delete(queue.topic);
  }

  #accept(topic: string, { event, kind, id, original, result }: Outgoing<Event>, answer: unknown): void {
    const position = isPositionText(answer) ? answer : undefined;
    if (kind === "durable" && position !== undefined) {
      this.#parts.recent.published(topic, id, event, isPositionText(original) ? original : position);
      this.#parts.onPosition(position);
    }
    result.resolve({ position, isDropped: false });
  }

  #remove(queue: Queue<Event>, items: ReadonlySet<Outgoing<Event>>): void {
    queue.items = queue.items.filter((item) => {
      const isRemoved = items.has(item);
      if (isRemoved) this.#counts[item.kind]--;
      return !isRemoved;
    });
  }

  #noteRefusal(queue: Queue<Event>, error: Error): void {
    // Nothing of it waits: nothing could tell when Redis accepts again.
    if (queue.items.length === 0 && !queue.hasDropped) return this.#accepted(queue);
    this.#refused.add(queue.topic);
    this.#parts.onRefused(error);
  }

  #accepted({ topic }: Queue<Event>): void {
    if (this.#refused.delete(topic) && this.#refused.size === 0) this.#parts.onAccepted();
  }

  /** Transient events are not sent again. */
  #failed(queue: Queue<Event>, batch: readonly Outgoing<Event>[], error: unknown): void {
    queue.hasWaited = true;
    const transient = new Set(batch.filter(({ kind }) => kind === "transient"));
    this.#remove(queue, transient);
    for (const { result } of transient) result.resolve({ position: undefined, isDropped: true });
    // Disconnected: resume() is called when Redis is back.
    if (this.#isClosed || !this.#parts.connection.hasCommands) return;
    // Anything else is a lost connection, of which others report.
    if (error instanceof Error && error.name === "ReplyError") this.#noteRefusal(queue, error);
    const again = (): void => {
      queue.retry = undefined;
      this.#send(queue);
    };
    queue.retry = setTimeout(again, queue.retryMs * (0.75 + Math.random() / 2));
    queue.retryMs = Math.min(2 * queue.retryMs, RETRY_MAX_MS);
  }
}

const DROPPED: Promise<PublishResult> = Promise.resolve({ position: undefined, isDropped: true });
