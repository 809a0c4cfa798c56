/** A stream of which the reader misses no event: messages, receipts. */
import { callOrigin } from "../call-origin.ts";
import { BusUnavailable, type StreamPosition } from "../bus/bus.ts";
import { CatchUp } from "../bus/catch-up.ts";
import type { Position } from "../bus/position.ts";
import type { CursorPosition } from "../chat/cursor.ts";
import { topicOf, type DurableChatEvent, type EventOf } from "../chat/events/registry.ts";
import { chatTopic } from "../chat/events/topics.ts";
import { hasCode } from "../errors.ts";
import { BEFORE_THE_LOG, ReaderPast, type PastEvent, type PastSources, type StartOutcome } from "../recovery/past.ts";
import type { StreamState } from "./sink.ts";
import { Stream, type StreamSpec, type SubscriberSet } from "./stream.ts";

/** Events that wait for an iterating reader. What comes beyond them is read from the log when it has read. */
const QUEUE_CAPACITY = 100;

/** Before another attempt to read a log that could not be read. */
const RETRY_MS = 1000;

/** Where a stream begins. */
export type StreamStart =
  | { readonly start: "new" }
  | { readonly start: "resumed"; readonly position: StreamPosition }
  | {
      readonly start: "after";
      readonly cursor: CursorPosition;
      readonly position: Position | undefined;
      /** Where it was live when it began: what is published after it is new to the client, whenever it was created. */
      readonly since: StreamPosition | undefined;
    };

/**
 * Finds where a stream begins. Called when it receives live events: what the client had before it is in the log then.
 *
 * @param position where the stream is live.
 */
type FindStart = (position: () => StreamPosition) => Promise<StreamStart>;

interface DurableStreamParts<Type extends DurableChatEvent["type"]> {
  readonly subscribers: SubscriberSet;
  readonly spec: StreamSpec<Type>;
  readonly sources: PastSources;
  readonly start: FindStart;
}

export class DurableStream<Type extends DurableChatEvent["type"]> extends Stream<Type> {
  readonly #sources: PastSources;
  /** On whose behalf what it missed is read. */
  readonly #origin = callOrigin();
  /** Undefined until it has missed something. */
  #past: ReaderPast | undefined;
  /** Until it was called. */
  #findStart: FindStart | undefined;
  #start: StreamStart["start"] = "new";
  /** While the reader is behind, and a little longer. */
  #catchUp: CatchUp<PastEvent> | undefined;
  /** It has been prepared, and is not counted yet. */
  #isStarting = false;
  #isPaused = false;
  /** By topic, of chats whose events do not arrive yet: from where on they are for the reader. */
  #joining: Map<string, Position> | undefined;
  /** What the sink was told last. */
  #told: StreamState["state"] | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor({ subscribers, spec, sources, start }: DurableStreamParts<Type>) {
    super(subscribers, spec);
    this.#sources = sources;
    this.#findStart = start;
  }

  protected get queueCapacity(): number {
    return QUEUE_CAPACITY;
  }

  /** What its first events are. */
  override get startedWith(): StreamStart["start"] {
    return this.#start;
  }

  deliver(event: EventOf<Type>, position: Position | undefined): void {
    if (this.isDone || position === undefined || this.#past?.hasDelivered(event)) return;
    if (this.#catchUp?.isIdle) this.#catchUp = undefined;
    const { sink } = this;
    const canTake = sink !== undefined && !sink.isLagging;
    if (!this.#catchUp && canTake) {
      sink.write(event, position);
      return;
    }
    this.#catchUp ??= this.#createCatchUp();
    if (this.#catchUp.admit(topicOf(event), position, canTake)) sink?.write(event, position);
    else {
      this.#tellState();
      if (canTake) this.#run();
    }
  }

  joining(chatId: string, since: Position): void {
    (this.#joining ??= new Map()).set(chatTopic(chatId), since);
  }

  joined(chatId: string, since: Position): void {
    this.#joining?.delete(chatTopic(chatId));
    if (this.isDone) return;
    this.#catchUp ??= this.#createCatchUp();
    this.#catchUp.start(chatTopic(chatId), since);
    this.resume();
  }

  /** Every event counts: there is no state to read again. */
  async refresh(): Promise<void> {}

  busLost(): void {
    this.#isPaused = true;
    this.#tellState();
  }

  busRestored(): void {
    this.#isPaused = false;
    this.resume();
  }

  resume(): void {
    if (this.#catchUp?.isBehind) this.#run();
    else this.#tellState();
  }

  forget(chatId: string): void {
    this.#joining?.delete(chatTopic(chatId));
    this.#catchUp?.forget(chatTopic(chatId));
    this.queue?.forget(chatId);
  }

  /**
   * The position of the reader: it has everything before it and nothing after it. Undefined where it is at no position of the log,
   * since it is being given messages that no log has.
   */
  position(): StreamPosition | undefined {
    const behind = this.#catchUp?.positions();
    const unread = this.queue ? this.queue.positions() : {};
    if ((this.#catchUp && !behind) || !unread) return undefined;
    const { base, topics } = this.#sources.log.position(this.#topics());
    const apart = { ...topics, ...toObject(this.#joining), ...toObject(behind), ...unread };
    return Object.values(apart).includes(BEFORE_THE_LOG) ? undefined : { base, topics: apart };
  }

  override end(error?: Error): void {
    if (!this.isDone) this.#countStart(hasCode(error, "CURSOR_EXPIRED") ? "expired" : this.#start);
    super.end(error);
  }

  protected async prepare(): Promise<void> {
    const findStart = this.#findStart;
    this.#findStart = undefined;
    if (this.chatId === undefined && this.session.viewer.chats.size > 1) await this.#nextTurn();
    const start = (await findStart?.(() => this.#positionHere())) ?? { start: "new" };
    this.#start = start.start;
    this.#isStarting = true;
    if (start.start === "new" || this.isDone) return;
    if (start.start === "after") this.#reader.begin(start.cursor, start.since);
    else this.#reader.begin(undefined);
    const catchUp = (this.#catchUp = this.#createCatchUp());
    for (const topic of this.#topics()) {
      const after =
        start.start === "after"
          ? (start.position ?? BEFORE_THE_LOG)
          : (start.position.topics[topic] ?? start.position.base);
      catchUp.start(topic, after);
    }
  }

  /** Where it begins. Events that have arrived already, while others of its chats were entered, are after it. */
  #positionHere(): StreamPosition {
    return this.position() ?? this.#sources.log.position(this.#topics());
  }

  protected begin(): void {
    if (this.#catchUp?.isBehind) return this.#run();
    this.#caughtUp();
  }

  protected close(): void {
    clearTimeout(this.#retry);
    this.#catchUp?.stop();
    this.#catchUp = undefined;
  }

  get #reader(): ReaderPast {
    const options = { isOfOneChat: this.chatId !== undefined, origin: this.#origin };
    return (this.#past ??= new ReaderPast(this.#sources, this.session, this.type, options));
  }

  *#topics(): Generator<string> {
    const { chatId, session } = this;
    for (const id of chatId === undefined ? session.viewer.chats.keys() : [chatId]) yield chatTopic(id);
  }

  #createCatchUp(): CatchUp<PastEvent> {
    const { memory } = this.session;
    return new CatchUp<PastEvent>({
      turns: memory,
      isFull: () => this.isDone || !this.sink || this.sink.isLagging || this.sink.isTurnOver === true,
      read: async (topic, after, seen, { topics, isContinued }) => {
        if (topics > 1) await this.#nextTurn();
        return this.#reader.read(topic, after, seen, { maxBytes: memory.readerBytes / topics, isContinued });
      },
      deliver: (entry) => this.#deliverPast(entry),
      onCaughtUp: () => this.#caughtUp(),
    });
  }

  /** A reader of many topics lets others have their turns in between. */
  #nextTurn(): Promise<void> {
    return this.#sources.turns.next(this.session.user.id);
  }

  #caughtUp(): void {
    this.#countStart(this.#start);
    this.#past?.caughtUp();
    this.#tellState();
  }

  /** Once: where it began is known when it has everything from there on, or cannot have it. */
  #countStart(outcome: StartOutcome): void {
    if (this.#isStarting) this.#sources.starts.add(outcome);
    this.#isStarting = false;
  }

  #deliverPast(entry: PastEvent): void {
    const { event, position } = entry;
    if (this.isDone || event.type !== this.type) return;
    // The viewer may have left the chat while it was read.
    if (!this.session.viewer.chats.has(event.chatId)) return;
    const past = this.#reader;
    if (position !== undefined && past.hasDelivered(event)) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its type is the stream's
    const own = past.give(event as EventOf<Type>, entry);
    this.#sources.replayed.add(position === undefined ? "history" : "log");
    this.sink?.write(own, position);
  }

  #run(): void {
    clearTimeout(this.#retry);
    this.#tellState();
    this.#catchUp?.run().catch((error: unknown) => {
      if (error instanceof BusUnavailable) this.#retryLater();
      else this.end(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** The position is kept: nothing is skipped, however long that takes. */
  #retryLater(): void {
    if (this.isDone) return;
    clearTimeout(this.#retry);
    const again = (): void => this.#run();
    this.#retry = setTimeout(again, RETRY_MS).unref();
  }

  #tellState(): void {
    if (!this.sink?.state || this.isDone) return;
    const isLive = !this.#isPaused && !(this.#catchUp?.isBehind ?? false);
    const state = isLive ? "live" : "catching-up";
    // A stream that begins behind is not falling behind.
    if (state === this.#told || (this.#told === undefined && !isLive)) return;
    this.#told = state;
    this.sink.state(isLive ? { state: "live", start: this.#start } : { state: "catching-up" });
  }
}

function toObject(positions: ReadonlyMap<string, Position> | undefined): Readonly<Record<string, Position>> {
  return positions ? Object.fromEntries(positions) : {};
}
