/** A bus whose publications are spans of the traces that they are made in, and whose events tell their receivers of that. */
import { callOrigin } from "../call-origin.ts";
import type { Span, Tracing } from "../tracing.ts";
import type { Bus, BusOptions, ConnectionListener, PublishResult, RateLimiter, AllowedRate } from "./bus.ts";

interface TracedEvent {
  readonly type: string;
  readonly traceparent?: string | undefined;
}

interface TracedBusParts<Event> extends Pick<BusOptions<Event>, "idOf" | "kindOf"> {
  readonly bus: Bus<Event>;
  readonly tracing: Tracing;
}

export class TracedBus<Event extends TracedEvent> implements Bus<Event> {
  readonly #parts: TracedBusParts<Event>;

  constructor(parts: TracedBusParts<Event>) {
    this.#parts = parts;
  }

  /** What is published on nobody's behalf is in no trace. */
  async publish(topic: string, event: Event): Promise<PublishResult> {
    const { bus, tracing, idOf, kindOf } = this.#parts;
    const parent = callOrigin()?.client?.traceparent;
    if (parent === undefined) return bus.publish(topic, event);
    const isDurable = kindOf(event) === "durable";
    const attributes = {
      "event.type": event.type,
      "event.topic": topic,
      "event.id": isDurable ? idOf(event) : undefined,
    };
    const span = tracing.start(`publish ${event.type}`, { kind: "producer", parent, attributes });
    const published = bus.publish(topic, span.isSampled ? { ...event, traceparent: span.traceparent } : event);
    return endWith(span, published);
  }

  get log(): Bus<Event>["log"] {
    return this.#parts.bus.log;
  }

  get state(): Bus<Event>["state"] {
    return this.#parts.bus.state;
  }

  get fenced(): Bus<Event>["fenced"] {
    return this.#parts.bus.fenced;
  }

  get expiringSets(): Bus<Event>["expiringSets"] {
    return this.#parts.bus.expiringSets;
  }

  get presence(): Bus<Event>["presence"] {
    return this.#parts.bus.presence;
  }

  get isConnected(): boolean {
    return this.#parts.bus.isConnected;
  }

  get commands(): Bus<Event>["commands"] {
    return this.#parts.bus.commands;
  }

  get gaps(): Bus<Event>["gaps"] {
    return this.#parts.bus.gaps;
  }

  get statistics(): Bus<Event>["statistics"] {
    return this.#parts.bus.statistics;
  }

  subscribe(...args: Parameters<Bus<Event>["subscribe"]>): ReturnType<Bus<Event>["subscribe"]> {
    return this.#parts.bus.subscribe(...args);
  }

  observe(listener: ConnectionListener): () => void {
    return this.#parts.bus.observe(listener);
  }

  limiter(rate: AllowedRate): RateLimiter {
    return this.#parts.bus.limiter(rate);
  }

  close(): Promise<void> {
    return this.#parts.bus.close();
  }
}

async function endWith(span: Span, published: Promise<PublishResult>): Promise<PublishResult> {
  try {
    const result = await published;
    span.end({ "event.position": result.position }, result.isDropped ? "dropped" : undefined);
    return result;
  } catch (error) {
    span.end({}, "refused");
    throw error;
  }
}
