import { justBefore, type Position } from "../bus/position.ts";
import { topicOf, type DeliveredEvent } from "../chat/events.ts";

/** An event that waits, and where the log has it, if it has. */
export interface Waiting<Event> {
  readonly event: Event;
  readonly position: Position | undefined;
}

/** Events that wait for a reader, in order. Of events with the same key only the latest waits, where it stands in time. */
export class WaitingEvents<Event extends DeliveredEvent> {
  #events: Map<unknown, Waiting<Event>> | undefined;

  get size(): number {
    return this.#events?.size ?? 0;
  }

  put(key: unknown, event: Event, position: Position | undefined): void {
    this.#events ??= new Map();
    this.#events.delete(key);
    this.#events.set(key, { event, position });
  }

  shift(): Waiting<Event> | undefined {
    const [head] = this.#events ?? [];
    if (!head) return undefined;
    this.#events?.delete(head[0]);
    return head[1];
  }

  clear(): void {
    this.#events = undefined;
  }

  /** Drops the events of a chat. @returns their keys. */
  forget(chatId: string): readonly unknown[] {
    const keys = [...(this.#events ?? [])].filter(([, waiting]) => isOfChat(waiting, chatId)).map(([key]) => key);
    for (const key of keys) this.#events?.delete(key);
    return keys;
  }

  values(): readonly Waiting<Event>[] {
    return [...(this.#events?.values() ?? [])];
  }
}

export function isOfChat({ event }: Waiting<DeliveredEvent>, chatId: string): boolean {
  return "chatId" in event && event.chatId === chatId;
}

/** For each topic, what the first of these is after. Undefined where one of them is in no log. */
export function startsOf(waiting: readonly Waiting<DeliveredEvent>[]): Record<string, Position> | undefined {
  const starts: Record<string, Position> = {};
  for (const { event, position } of waiting) {
    if (position === undefined) return undefined;
    starts[topicOf(event)] ??= justBefore(position);
  }
  return starts;
}
