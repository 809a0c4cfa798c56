/** The sink of a reader that iterates: a bounded queue. */
import { justBefore, type Position } from "../bus/position.ts";
import { topicOf, type DeliveredEvent } from "../chat/events/registry.ts";
import type { Sink, StreamState } from "./sink.ts";

interface Queued<Event> {
  readonly event: Event;
  readonly position: Position | undefined;
}

export class EventQueue<Event extends DeliveredEvent> implements Sink {
  readonly #capacity: number;
  readonly #onRoom: () => void;
  readonly #onState: (state: StreamState) => void;
  /** What the reader is to be told when it has taken everything before. */
  #state: StreamState | undefined;
  readonly #queued: Queued<Event>[] = [];
  /** What the reader was given last: it is done with it when it asks for the next one. */
  #inHand: Queued<Event> | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<Event, undefined>> | undefined;
  #ended: { error: Error | undefined } | undefined;

  /**
   * @param onRoom the reader has read, and the queue can take more again.
   * @param onState the reader has everything that came before the state.
   */
  constructor(capacity: number, onRoom: () => void, onState: (state: StreamState) => void = () => undefined) {
    this.#capacity = capacity;
    this.#onRoom = onRoom;
    this.#onState = onState;
  }

  get isLagging(): boolean {
    return this.#isFull();
  }

  write(event: DeliveredEvent, position: Position | undefined): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a stream writes events of its own type
    this.#queued.push({ event: event as Event, position });
    this.#settle();
  }

  state(state: StreamState): void {
    this.#state = state;
    this.#tellState();
  }

  end(error: Error | undefined): void {
    this.#ended = { error };
    // What waits is delivered before, but not to a reader that is no longer to have it.
    if (error) this.#queued.length = 0;
    this.#settle();
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const wasFull = this.#isFull();
    this.#inHand = undefined;
    const waiting = (this.#waiting = Promise.withResolvers<IteratorResult<Event, undefined>>());
    this.#settle();
    if (wasFull && !this.#isFull()) this.#onRoom();
    this.#tellState();
    return waiting.promise;
  }

  /** Drops what waits of a chat. Returns it. */
  forget(chatId: string): readonly Event[] {
    const wasFull = this.#isFull();
    const isOfChat = ({ event }: Queued<Event>): boolean => "chatId" in event && event.chatId === chatId;
    const [dropped, kept] = [this.#queued.filter(isOfChat), this.#queued.filter((queued) => !isOfChat(queued))];
    this.#queued.splice(0, this.#queued.length, ...kept);
    if (wasFull && !this.#isFull()) this.#onRoom();
    return dropped.map(({ event }) => event);
  }

  clear(): void {
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

  #isFull(): boolean {
    return this.#queued.length >= this.#capacity;
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const next = this.#queued.shift();
    if (!next && !this.#ended) return;
    this.#waiting = undefined;
    this.#inHand = next;
    if (next) waiting.resolve({ done: false, value: next.event });
    else if (this.#ended?.error) {
      waiting.reject(this.#ended.error);
      this.#ended.error = undefined;
    } else waiting.resolve({ done: true, value: undefined });
  }
}
