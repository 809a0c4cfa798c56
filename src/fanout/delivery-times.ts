import { parsePosition, type Position } from "../bus/position.ts";
import type { MessageCreated } from "../chat/events/message-created.ts";
import type { Log } from "../log.ts";
import { Durations } from "../measures.ts";

/** From less than the clock tells to what a reader would call broken. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * How long it takes from an event's position in the log, which is the instant of its publication, until it is written to the sockets. One
 * observation for each event, whatever the number of its recipients: at the end of the turn, when all of them have been written to.
 */
export class DeliveryTimes {
  readonly durations = new Durations(BOUNDS);
  #written: Position[] = [];
  readonly #observe = (): void => this.#observeAll();

  /** An event is written at the end of this turn. Call it when its recipients have been given it. */
  note(position: Position): void {
    // What writes was scheduled before, and comes first.
    if (this.#written.push(position) === 1) setImmediate(this.#observe);
  }

  #observeAll(): void {
    const written = this.#written;
    this.#written = [];
    const now = Date.now();
    // The log's clock may be ahead of this machine's.
    for (const position of written) this.durations.observe(Math.max(0, now - parsePosition(position).ms) / 1000);
  }
}

/** For whoever follows one message through the instances. @param recipients subscriptions on this one. */
export function logDelivery(
  log: Log,
  { chatId, message }: MessageCreated,
  position: Position,
  recipients: number,
): void {
  if (!log.isLevelEnabled("debug")) return;
  log.debug({ messageId: message.id, chatId, position, recipients }, "message delivered");
}
