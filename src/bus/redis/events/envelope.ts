/** What is on a channel: JSON. */
import type { BusOptions } from "../../bus.ts";
import { isPosition } from "../../position.ts";
import type { Received } from "./topic.ts";

/** Of an event that is not logged; a logged one has the position that the log gave it, and an id of its own. */
export interface UnloggedEnvelope<Event> {
  /** The publisher's number for it: it is sent again where nobody knows whether it arrived. */
  readonly key: string;
  readonly event: Event;
}

/** What was sent, checked. Undefined where it is none of ours: anybody may write on a channel. */
export function openEnvelope<Event>(
  payload: unknown,
  { decode, kindOf, idOf }: Pick<BusOptions<Event>, "decode" | "kindOf" | "idOf">,
): Received<Event> | undefined {
  if (typeof payload !== "object" || payload === null || !("event" in payload)) return undefined;
  const event = decode(payload.event);
  if (event === undefined) return undefined;
  if (kindOf(event) === "logged") {
    const position = positionIn(payload);
    return position === undefined ? undefined : { event, position, id: idOf(event) };
  }
  const key = "key" in payload && typeof payload.key === "string" ? payload.key : undefined;
  return key === undefined ? undefined : { event, position: undefined, id: key };
}

export function positionIn(payload: unknown): string | undefined {
  if (typeof payload !== "object" || payload === null || !("position" in payload)) return undefined;
  const { position } = payload;
  return typeof position === "string" && isPosition(position) ? position : undefined;
}
