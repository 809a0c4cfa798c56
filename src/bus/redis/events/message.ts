/** The messages on a channel: JSON, written by `publish.lua`. */
import type { BusOptions } from "../../bus.ts";
import { isPosition, type Position } from "../../position.ts";

export type ChannelMessage<Event> =
  | { readonly type: "transient"; readonly event: Event }
  | {
      readonly type: "durable";
      readonly event: Event;
      readonly position: Position;
      /** The position of the event before it on the topic; empty where there was none. */
      readonly previous: Position;
      /** The process of Redis that published it. */
      readonly epoch: string;
      /** The position that another process of Redis gave it. */
      readonly restoredFrom: Position | undefined;
    }
  | {
      /** The topic's last position, without an event: listeners that are not there read the log. */
      readonly type: "head";
      readonly last: Position;
      readonly epoch: string;
      /** Events were dropped: the log is not complete before `last`. */
      readonly isIncomplete: boolean;
    };

/** A payload, checked: anybody may publish on a channel. Undefined where it is not one of these messages. */
export function parseMessage<Event>(
  payload: unknown,
  { decode, kindOf }: Pick<BusOptions<Event>, "decode" | "kindOf">,
): ChannelMessage<Event> | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  const {
    last,
    epoch,
    isIncomplete,
    position,
    previous = "",
    original,
  }: Readonly<Record<string, unknown>> = { ...payload };
  if (isPositionText(last)) {
    return typeof epoch === "string" ? { type: "head", last, epoch, isIncomplete: isIncomplete === true } : undefined;
  }
  const event = "event" in payload ? decode(payload.event) : undefined;
  if (event === undefined) return undefined;
  if (kindOf(event) === "transient") return { type: "transient", event };
  if (!isPositionText(position) || typeof epoch !== "string") return undefined;
  if (previous !== "" && !isPositionText(previous)) return undefined;
  const restoredFrom = isPositionText(original) ? original : undefined;
  return { type: "durable", event, position, previous, epoch, restoredFrom };
}

export function isPositionText(value: unknown): value is Position {
  return typeof value === "string" && isPosition(value);
}
