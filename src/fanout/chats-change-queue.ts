/** What the reader of a list of chats has not been given yet: first the whole list, then what has changed, as often as the reader reads. */
import type { LiveChatList } from "../chat/live-chat-list.ts";
import type { Chat } from "../chat/model.ts";
import { ITEMS_PER_PIECE } from "../fair-turns.ts";
import type { StreamState } from "./sink.ts";

/** Changes within this time after the first one arrive in one event. */
const COALESCING_MS = 100;

/** One event of the stream. */
export interface ChatsChange {
  /** Whether `changed` is every chat of the user. */
  readonly isSnapshot: boolean;
  readonly changed: readonly Chat[];
  readonly removedIds: readonly string[];
}

type Result = IteratorResult<ChatsChange, undefined>;

/** Its memory is a set of ids, however slowly the reader reads. */
export class ChatsChangeQueue {
  readonly #list: LiveChatList;
  readonly #turn: () => Promise<void>;
  #isLoaded = false;
  #isSnapshotDue = true;
  readonly #changed = new Set<string>();
  readonly #removed = new Set<string>();
  /** Runs from the first change on; what has changed is given when it has run out. */
  #timer: NodeJS.Timeout | undefined;
  /** What there is will be given in a turn that has been asked for. */
  #awaitsTurn = false;
  #waiting: PromiseWithResolvers<Result> | undefined;
  #onState: ((state: StreamState) => void) | undefined;
  /** What the reader is notified of when it has taken the last change. */
  #state: StreamState | undefined = { state: "live", start: "new" };
  #isDone = false;
  #error: Error | undefined;

  /** @param turn resolves when a piece of long work may be done. */
  constructor(list: LiveChatList, turn: () => Promise<void>) {
    this.#list = list;
    this.#turn = turn;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** The list is whole: the reader may have it. */
  loaded(): void {
    this.#isLoaded = true;
    this.#deliver();
  }

  /** A chat is another, or new. */
  changed(chatId: string): void {
    if (this.#isSnapshotDue) return;
    this.#removed.delete(chatId);
    this.#changed.add(chatId);
    this.#schedule();
  }

  removed(chatId: string): void {
    this.#changed.delete(chatId);
    if (this.#isSnapshotDue) return;
    this.#removed.add(chatId);
    this.#schedule();
  }

  /** Where the stream is, told when the reader has taken the events before. */
  watchStates(onState: (state: StreamState) => void): void {
    this.#onState = onState;
  }

  setState(state: StreamState): void {
    this.#state = state;
    this.#tellState();
  }

  next(): Promise<Result> {
    const waiting = (this.#waiting = Promise.withResolvers<Result>());
    this.#deliver();
    this.#tellState();
    return waiting.promise;
  }

  /** The iteration rejects once where there is an error. Harmless when repeated. */
  end(error?: Error): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#error = error;
    clearTimeout(this.#timer);
    this.#deliver();
  }

  #schedule(): void {
    if (this.#timer || this.#isDone) return;
    const flush = (): void => {
      this.#timer = undefined;
      this.#deliver();
    };
    this.#timer = setTimeout(flush, COALESCING_MS).unref();
  }

  #tellState(): void {
    const state = this.#state;
    if (!state || !this.#waiting || this.#isSnapshotDue) return;
    this.#state = undefined;
    this.#onState?.(state);
  }

  #deliver(): void {
    if (this.#isDone) this.#finish();
    else if (this.#waiting && this.#hasChange && !this.#awaitsTurn) {
      if (this.#size <= ITEMS_PER_PIECE) this.#deliverNow();
      else void this.#deliverInTurn();
    }
  }

  #finish(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    if (this.#error) {
      waiting.reject(this.#error);
      this.#error = undefined;
    } else waiting.resolve({ done: true, value: undefined });
  }

  /** Whether there is something to deliver now. */
  get #hasChange(): boolean {
    return this.#isLoaded && !this.#timer && (this.#isSnapshotDue || this.#size > 0);
  }

  get #size(): number {
    return this.#isSnapshotDue ? this.#list.size : this.#changed.size + this.#removed.size;
  }

  /** The reader begins to execute it in that turn. */
  async #deliverInTurn(): Promise<void> {
    this.#awaitsTurn = true;
    await this.#turn();
    this.#awaitsTurn = false;
    this.#deliverNow();
  }

  #deliverNow(): void {
    const waiting = this.#waiting;
    if (!waiting || this.#isDone) return;
    this.#waiting = undefined;
    waiting.resolve({ done: false, value: this.#take() });
  }

  #take(): ChatsChange {
    if (this.#isSnapshotDue) {
      this.#isSnapshotDue = false;
      return { isSnapshot: true, changed: this.#list.all(), removedIds: [] };
    }
    const changed = [...this.#changed].flatMap((id) => this.#list.get(id) ?? []);
    const change = { isSnapshot: false, changed, removedIds: [...this.#removed] };
    this.#changed.clear();
    this.#removed.clear();
    return change;
  }
}
