/** The sink of a reader that iterates: a bounded queue. */
import type { ByteBudget } from "../byte-budget.ts";
import { justBefore, type Position } from "../bus/position.ts";
import { topicOf, type DeliveredEvent } from "../chat/events/registry.ts";
import { eventBytes } from "../chat/held-messages.ts";
import type { Sink, StreamState } from "./sink.ts";

interface Queued<Event> {
  readonly event: Event;
  readonly position: Position | undefined;
}

export class EventQueue<Event extends DeliveredEvent> implements Sink {
  readonly #capacity: number;
  readonly #memory: ByteBudget;
  readonly #onRoom: () => void;
  readonly #onState: (state: StreamState) => void;
  /** What the reader is to be told when it has taken everything before. */
  #state: StreamState | undefined;
  /** Whether something was not written because there was no room. */
  #hasLagged = false;
  readonly #queued: Queued<Event>[] = [];
  /** What the reader was given last: it is done with it when it asks for the next one. */
  #inHand: Queued<Event> | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<Event, undefined>> | undefined;
  #ended: { error: Error | undefined } | undefined;

  /**
   * @param memory of the reader's connection.
   * @param onRoom the reader has read, and the queue can take more again.
   * @param onState the reader has everything that came before the state.
   */
  constructor(
    capacity: number,
    memory: ByteBudget,
    onRoom: () => void,
    onState: (state: StreamState) => void = () => undefined,
  ) {
    this.#capacity = capacity;
    this.#memory = memory;
    this.#onRoom = onRoom;
    this.#onState = onState;
  }

  get isLagging(): boolean {
    const isFull = this.#isFull();
    this.#hasLagged ||= isFull;
    return isFull;
  }

  write(event: DeliveredEvent, position: Position | undefined): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a stream writes events of its own type
    this.#queued.push({ event: event as Event, position });
    this.#memory.enqueue(eventBytes(event));
    this.#settle();
  }

  state(state: StreamState): void {
    this.#state = state;
    this.#tellState();
  }

  end(error: Error | undefined): void {
    this.#ended = { error };
    // What waits is delivered before, but not to a reader that is no longer to have it.
    if (error) this.clear();
    this.#settle();
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    this.#inHand = undefined;
    const waiting = (this.#waiting = Promise.withResolvers<IteratorResult<Event, undefined>>());
    this.#settle();
    this.#noteRoom();
    this.#tellState();
    return waiting.promise;
  }

  /** Drops what waits of a chat. Returns it. */
  forget(chatId: string): readonly Event[] {
    const isOfChat = ({ event }: Queued<Event>): boolean => "chatId" in event && event.chatId === chatId;
    const [dropped, kept] = [this.#queued.filter(isOfChat), this.#queued.filter((queued) => !isOfChat(queued))];
    this.#queued.splice(0, this.#queued.length, ...kept);
    for (const { event } of dropped) this.#memory.dequeue(eventBytes(event));
    this.#noteRoom();
    return dropped.map(({ event }) => event);
  }

  clear(): void {
    for (const { event } of this.#queued) this.#memory.dequeue(eventBytes(event));
    this.#queued.length = 0;
  }

  /** For each topic, the position before the first event that the reader is not done with. Undefined where one is in no log. */
  positions(): Record<string, Position> | undefined {
    const positions: Record<string, Position> = {};
    for (const { event, position } of [...(this.#inHand ? [this.#inHand] : []), ...this.#queued]) {
      if (position === undefined) return undefined;
      positions[topicOf(event)] ??= justBefore(position);
    }
    return positions;
  }

  #tellState(): void {
    const state = this.#state;
    if (!state || !this.#waiting || this.#queued.length > 0) return;
    this.#state = undefined;
    this.#onState(state);
  }

  #noteRoom(): void {
    if (!this.#hasLagged || this.#isFull()) return;
    this.#hasLagged = false;
    this.#onRoom();
  }

  /** One event may wait in any case: its reader takes it, and there is room again. */
  #isFull(): boolean {
    return this.#queued.length >= this.#capacity || (this.#queued.length > 0 && this.#memory.areQueuesFull);
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const next = this.#queued.shift();
    if (!next && !this.#ended) return;
    this.#waiting = undefined;
    this.#inHand = next;
    if (next) this.#memory.dequeue(eventBytes(next.event));
    if (next) waiting.resolve({ done: false, value: next.event });
    else if (this.#ended?.error) {
      waiting.reject(this.#ended.error);
      this.#ended.error = undefined;
    } else waiting.resolve({ done: true, value: undefined });
  }
}
