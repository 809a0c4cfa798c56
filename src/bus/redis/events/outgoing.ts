/** What waits to be published, and what of it is sent at a time. */
import { EventRefused, type Compaction, type EventKind, type PublishResult } from "../../bus.ts";
import { firstAt } from "../../position.ts";

/** Bounds of one batch. */
const MAX_BATCH_EVENTS = 128;
const MAX_BATCH_LENGTH = 1_000_000;

/** An event that is longer, in characters of JSON, is at fault itself. */
const MAX_EVENT_LENGTH = 8_000_000;

export interface Outgoing<Event> {
  readonly event: Event;
  readonly json: string;
  readonly kind: EventKind;
  readonly id: string;
  readonly compaction: Compaction | undefined;
  /** Of an event that another process of Redis had, its position there; of one that was found elsewhere, {@link byTime}; else empty. */
  readonly original: string;
  readonly result: PromiseWithResolvers<PublishResult>;
}

interface Described<Event> extends Pick<Outgoing<Event>, "event" | "kind" | "id" | "compaction"> {
  readonly original?: string;
}

/** @throws EventRefused where the event cannot be written as JSON, or is too large. */
export function outgoing<Event>({ original = "", ...described }: Described<Event>): Outgoing<Event> {
  return { ...described, json: encode(described.event), original, result: Promise.withResolvers() };
}

/** The first of them, as many as go in one batch. */
export function batchOf<Event>(items: readonly Outgoing<Event>[]): readonly Outgoing<Event>[] {
  let length = 0;
  let count = 0;
  for (const { json } of items) {
    length += json.length;
    if (count === MAX_BATCH_EVENTS || (count > 0 && length > MAX_BATCH_LENGTH)) break;
    count++;
  }
  return items.slice(0, count);
}

/** Tells the time of an event whose position nobody knows. */
export function byTime(ms: number): string {
  return `t${firstAt(ms)}`;
}

function encode(event: unknown): string {
  let json: string;
  try {
    json = JSON.stringify(event);
  } catch (error) {
    throw new EventRefused("the event cannot be written as JSON", { cause: error });
  }
  if (json.length > MAX_EVENT_LENGTH) throw new EventRefused("the event is too large");
  return json;
}
