/** A stream of states, of which only the latest matters: typing, presence. */
import type { EventOf, EventType } from "../chat/events/registry.ts";
import type { Session, Viewer } from "../chat/session.ts";
import { SmallSet } from "../small-set.ts";
import { Stream, type StreamSpec, type SubscriberSet } from "./stream.ts";

/** What one type of state is: the same for all streams of it. */
export interface StateKind<Type extends EventType> {
  readonly type: Type;
  /** Whether a viewer receives an event: one's own typing is not. Called for every event, in constant time. */
  readonly takes: (event: EventOf<Type>, viewer: Viewer) => boolean;
  /** What an event is the state of, and the state. A newer event of the same key replaces one that waits. */
  readonly stateOf: (event: EventOf<Type>) => { readonly key: string; readonly value: boolean };
  /** The present state, which comes first. */
  readonly snapshot: (session: Session, chatId: string | undefined) => Promise<Snapshot<Type>>;
}

export interface Snapshot<Type extends EventType> {
  readonly events: readonly EventOf<Type>[];
  /** Whether that is all of it: else it is read again in a moment. */
  readonly isComplete: boolean;
}

export class StateStream<Type extends EventType> extends Stream<Type> {
  readonly #kind: StateKind<Type>;
  /** What waits for the reader, by key. */
  #waiting: Map<string, EventOf<Type>> | undefined;
  /** The keys whose state the reader knows to be true; of all others it is false. */
  #known: SmallSet<string> | undefined;
  /** Keys whose state the reader may know wrongly: their next event is new whatever it says. */
  #doubtful: Set<string> | undefined;
  /** For each snapshot that is being read, the keys of the events that arrived meanwhile: they are newer than it. */
  #newer: Set<Set<string>> | undefined;
  #isPaused = false;

  constructor(subscribers: SubscriberSet, kind: StateKind<Type>, { session, chatId }: Omit<StreamSpec<Type>, "type">) {
    super(subscribers, { type: kind.type, session, chatId });
    this.#kind = kind;
  }

  protected get queueCapacity(): number {
    return 1;
  }

  deliver(event: EventOf<Type>): void {
    if (this.isDone || !this.#kind.takes(event, this.session.viewer)) return;
    const { key, value } = this.#kind.stateOf(event);
    for (const keys of this.#newer ?? []) keys.add(key);
    this.#known ??= new SmallSet();
    const isDoubtful = this.#doubtful?.delete(key) ?? false;
    if (this.#known.has(key) === value && !isDoubtful) return;
    if (value) this.#known.add(key);
    else this.#known.delete(key);
    if (this.sink && !this.sink.isLagging && !this.#waiting) this.sink.write(event, undefined);
    else this.#wait(key, event);
  }

  /** {@link refresh} follows. */
  joined(): void {}

  /**
   * What the reader does not know, or knows otherwise, comes now. A key that a complete snapshot does not have counts as unknown. One that an
   * incomplete one does not have stays as the reader knows it, until it is read again. Rejects as the snapshot does.
   */
  async refresh(): Promise<void> {
    const newer = new Set<string>();
    this.#newer ??= new Set();
    this.#newer.add(newer);
    try {
      const { events, isComplete } = await this.#kind.snapshot(this.session, this.chatId);
      if (!isComplete) this.subscribers.refreshLater(this);
      const present = new Map(events.map((event) => [this.#kind.stateOf(event).key, event]));
      for (const key of (isComplete && this.#known) || []) {
        if (!present.has(key) && !newer.has(key)) (this.#doubtful ??= new Set()).add(key);
      }
      for (const [key, event] of present) if (!newer.has(key)) this.deliver(event);
    } finally {
      this.#newer.delete(newer);
      if (this.#newer.size === 0) this.#newer = undefined;
    }
  }

  busLost(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.sink?.state?.({ state: "catching-up" });
  }

  resume(): void {
    this.#flush();
  }

  busRestored(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.sink?.state?.({ state: "live", start: "new" });
  }

  forget(chatId: string): void {
    for (const [key, event] of this.#waiting ?? []) {
      if (!("chatId" in event) || event.chatId !== chatId) continue;
      this.#waiting?.delete(key);
      // After a return it is new again.
      this.#known?.delete(key);
    }
    for (const event of this.queue?.forget(chatId) ?? []) this.#known?.delete(this.#kind.stateOf(event).key);
  }

  protected prepare(): Promise<void> {
    return this.refresh();
  }

  protected begin(): void {
    this.#flush();
    this.sink?.state?.(this.#isPaused ? { state: "catching-up" } : { state: "live", start: "new" });
  }

  protected close(): void {
    this.#waiting = undefined;
  }

  #wait(key: string, event: EventOf<Type>): void {
    this.#waiting ??= new Map();
    this.#waiting.delete(key);
    this.#waiting.set(key, event);
  }

  #flush(): void {
    for (const [key, event] of this.#waiting ?? []) {
      if (!this.sink || this.sink.isLagging) return;
      this.#waiting?.delete(key);
      this.sink.write(event, undefined);
    }
    this.#waiting = undefined;
  }
}
