import { parsePosition, type Position } from "../bus/position.ts";
import type { MessageCreated } from "../chat/events/message-created.ts";
import type { ChatEvent } from "../chat/events/registry.ts";
import type { Log } from "../log.ts";
import { Durations } from "../measures.ts";
import type { Tracing } from "../tracing.ts";

/** From less than the clock tells to what a reader would call broken. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface DeliveriesParts {
  readonly log: Log;
  /** Undefined: no delivery is a span. */
  readonly tracing?: Tracing | undefined;
}

/** Reports events that were delivered here: how long the delivery took, to the log, and to the traces that the events belong to. */
export class Deliveries {
  /**
   * How long it takes from an event's position in the log, which is the instant of its publication, until it is written to the sockets. One
   * observation for each event, whatever the number of its recipients: at the end of the turn, when all of them have been written to.
   */
  readonly durations = new Durations(BOUNDS);
  readonly #parts: DeliveriesParts;
  #written: Position[] = [];
  readonly #observe = (): void => this.#observeAll();

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  /** An event has arrived. For {@link end}. */
  begin(event: ChatEvent): number {
    return this.#parts.tracing !== undefined && event.traceparent !== undefined ? Date.now() : 0;
  }

  /**
   * Its recipients have been given it: it is written at the end of this turn.
   *
   * @param recipients subscriptions of this instance.
   * @param begun what {@link begin} has returned.
   */
  end(event: ChatEvent, position: Position | undefined, recipients: number, begun: number): void {
    if (begun > 0 && recipients > 0) this.#trace(event, position, recipients, begun);
    if (position === undefined) return;
    // What writes was scheduled before, and comes first.
    if (recipients > 0 && this.#written.push(position) === 1) setImmediate(this.#observe);
    if (event.type === "message.created") this.#log(event, position, recipients);
  }

  #observeAll(): void {
    const written = this.#written;
    this.#written = [];
    const now = Date.now();
    // The log's clock may be ahead of this machine's.
    for (const position of written) this.durations.observe(Math.max(0, now - parsePosition(position).ms) / 1000);
  }

  #trace({ type, traceparent }: ChatEvent, position: Position | undefined, recipients: number, begun: number): void {
    const attributes = { "event.type": type, "event.position": position, "delivery.recipients": recipients };
    const options = { kind: "consumer", parent: traceparent, attributes, startedAtMs: begun } as const;
    const span = this.#parts.tracing?.start(`deliver ${type}`, options);
    setImmediate(() => span?.end());
  }

  /** Logs one message's way through the instances. */
  #log({ chatId, message }: MessageCreated, position: Position, recipients: number): void {
    const { log } = this.#parts;
    if (!log.isLevelEnabled("debug")) return;
    log.debug({ messageId: message.id, chatId, position, recipients }, "message delivered");
  }
}
