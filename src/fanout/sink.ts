/** Where the events of a stream go. */
import type { Position } from "../bus/position.ts";
import type { DeliveredEvent } from "../chat/events/registry.ts";

/** What a client with `streamStates` is told about a subscription. `start`: what the first events of it were. */
export type StreamState =
  | { readonly state: "live"; readonly start: "new" | "resumed" | "after" }
  | { readonly state: "catching-up" };

/** Takes the events of a stream as they come. */
export interface Sink {
  /** Whether it can take no more for now. It then calls `Stream.resume` when it can. */
  readonly isLagging: boolean;
  /** Whether what comes next of the past is for a later turn of the event loop. It then calls `Stream.resume`, too. */
  readonly isTurnOver?: boolean;
  /** @param position where the log has the event, if it has. */
  write(event: DeliveredEvent, position: Position | undefined): void;
  /** The stream has caught up, or falls behind. In order with the events. */
  state?(state: StreamState): void;
  /** Once: the stream has ended, with an error where the gateway ended it for a reason that the client is told. */
  end(error: Error | undefined): void;
}
