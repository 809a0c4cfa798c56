/** One topic as this process receives it: its listeners, and up to where they have received everything. */
import type { RecoveredEvent, TopicListener } from "../../bus.ts";
import type { CatchUp, CatchUpEntry } from "../../catch-up.ts";
import { latest, type Position } from "../../position.ts";
import type { ChannelMessage } from "./message.ts";
import type { RecentEvents } from "./recent-events.ts";

export interface TopicEntry<Event> extends CatchUpEntry {
  readonly event: Event;
  readonly position: Position;
  /** The position that another process of Redis gave it. */
  readonly restoredFrom: Position | undefined;
}

interface TopicParts<Event> {
  readonly name: string;
  readonly channel: string;
  /** Of the channel; asked for with every event. */
  readonly slot: number;
  readonly idOf: (event: Event) => string;
  readonly recent: RecentEvents<Event>;
  readonly onListenerError: (error: unknown) => void;
  /** Reads the log from the topic's position. */
  readonly catchUp: (topic: RedisTopic<Event>) => CatchUp<TopicEntry<Event>>;
  /** The topic fell behind: {@link RedisTopic.catchUp} has to be run. */
  readonly onBehind: (topic: RedisTopic<Event>) => void;
}

export class RedisTopic<Event> {
  readonly name: string;
  readonly channel: string;
  readonly slot: number;
  readonly listeners = new Set<TopicListener<Event>>();
  readonly #parts: TopicParts<Event>;
  /** Its channel is subscribed to on the present connection. */
  isSubscribed = false;
  /** Up to there everything was delivered, or was published before anybody listened. Undefined until the log was read once. */
  position: Position | undefined;
  /** The process of Redis that the position is of. */
  epoch: string | undefined;
  /** Up to there everything of former processes of Redis was delivered. */
  completeTo: Position | undefined;
  /** Counts the times that events were dropped: the listeners then recover them from elsewhere. */
  dropped = 0;
  /** The count up to which they have. */
  recovered = 0;
  /** The last live event that arrived before the log was read for the first time. */
  #seen: Position | undefined;
  #catchUp: CatchUp<TopicEntry<Event>> | undefined;
  joining: Promise<void> | undefined;
  retry: NodeJS.Timeout | undefined;

  constructor(parts: TopicParts<Event>) {
    this.#parts = parts;
    this.name = parts.name;
    this.channel = parts.channel;
    this.slot = parts.slot;
  }

  /** Whether everything that is published on it arrives, and everything before it was delivered. */
  get isLive(): boolean {
    return this.isSubscribed && this.position !== undefined && !this.isBehind;
  }

  get isBehind(): boolean {
    return this.#catchUp?.isBehind ?? false;
  }

  /** Takes a message of its channel. */
  receive(message: ChannelMessage<Event>): void {
    if (message.type === "transient") return this.#deliver(message.event, undefined);
    const { epoch } = message;
    const position = message.type === "head" ? message.last : message.position;
    if (message.type === "head" && message.isIncomplete) this.dropped++;
    if (this.position === undefined) this.#seen = latest(this.#seen, position);
    else if (this.isBehind) this.#catchUp?.note(this.name, position);
    else if (epoch !== this.epoch || this.dropped !== this.recovered) this.#fallBehind(position);
    else if (position <= this.position) return;
    else if (message.type === "durable" && message.previous <= this.position)
      this.#accept(message.event, position, message.restoredFrom);
    else this.#fallBehind(position);
  }

  /** Listening begins at that position of that epoch. */
  begin(position: Position, epoch: string | undefined): void {
    this.position = position;
    this.epoch = epoch;
    // What is restored from before was published before anybody listened.
    this.completeTo = position;
    if (this.#seen !== undefined && this.#seen > position) this.#fallBehind(this.#seen);
    this.#seen = undefined;
  }

  /** Reads on from the topic's position. @param seen a position that the reading has to reach. */
  #fallBehind(seen: Position | undefined): void {
    this.startCatchUp();
    if (seen !== undefined) this.#catchUp?.note(this.name, seen);
    this.#parts.onBehind(this);
  }

  startCatchUp(): void {
    if (this.position === undefined || this.isBehind) return;
    this.#catchUp ??= this.#parts.catchUp(this);
    this.#catchUp.start(this.name, this.position);
  }

  /** The log has to be read from here on, whatever was read before. */
  restartCatchUp(): void {
    if (this.position === undefined) return;
    this.#catchUp ??= this.#parts.catchUp(this);
    this.#catchUp.start(this.name, this.position);
  }

  /** Rejects where the log cannot be read; the topic stays behind then. */
  async runCatchUp(): Promise<void> {
    await this.#catchUp?.run();
    if (!this.isBehind) this.#catchUp = undefined;
  }

  /** Delivers an entry of the log, once. */
  deliverEntry({ event, position, restoredFrom }: TopicEntry<Event>): void {
    this.#accept(event, position, restoredFrom);
  }

  /** Everything up to there was delivered. */
  advance(position: Position): void {
    this.position = latest(this.position, position);
  }

  /** Asks the listeners for what the log has lost, but for what is known. `isWhole`: each of them found it. */
  async askListeners(
    after: Position,
    isKnown: (event: Event) => boolean,
  ): Promise<{ readonly found: RecoveredEvent<Event>[]; readonly isWhole: boolean }> {
    const asked = [...this.listeners].map(async (listener) => listener.recover?.(after, isKnown) ?? []);
    const answers = await Promise.allSettled(asked);
    let isWhole = true;
    const found = answers.flatMap((answer) => {
      if (answer.status === "rejected") this.#parts.onListenerError(answer.reason);
      const events = answer.status === "fulfilled" ? answer.value : undefined;
      isWhole &&= events !== undefined;
      return events ?? [];
    });
    return { found, isWhole };
  }

  /** The only place where duplicates are suppressed. */
  #accept(event: Event, position: Position, restoredFrom: Position | undefined): void {
    this.advance(position);
    if (restoredFrom !== undefined && this.completeTo !== undefined && restoredFrom <= this.completeTo) return;
    const original = restoredFrom ?? position;
    if (this.#parts.recent.deliver(this.name, this.#parts.idOf(event), event, original)) this.#deliver(event, position);
  }

  #deliver(event: Event, position: Position | undefined): void {
    // A listener that is added meanwhile receives the next event.
    for (const listener of Array.from(this.listeners)) {
      if (!this.listeners.has(listener)) continue;
      try {
        listener.receive(event, position);
      } catch (error) {
        this.#parts.onListenerError(error);
      }
    }
  }
}
