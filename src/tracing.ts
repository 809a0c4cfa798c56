/** Traces, as the parts of the gateway know them. Who they are exported by is `open-telemetry.ts`'s, which is loaded where they are configured. */

/** What a span says of itself. Nothing of it may be a secret, or what somebody wrote. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** `server`: asked from outside; `client`: asks the REST API; `producer`: publishes an event; `consumer`: delivers one. */
export type SpanKind = "server" | "client" | "producer" | "consumer";

export interface SpanOptions {
  readonly kind: SpanKind;
  /** The `traceparent` (W3C Trace Context) of the span that this one is a part of. Where absent or malformed a trace begins. */
  readonly parent: string | undefined;
  readonly attributes?: SpanAttributes;
  /** When it began, as `Date.now()` tells it: now where absent. */
  readonly startedAtMs?: number;
}

/** A step of a trace, under way. */
export interface Span {
  /** For whoever continues the trace: W3C Trace Context. */
  readonly traceparent: string;
  /** Whether the trace is exported: of the others nobody needs to be told. */
  readonly isSampled: boolean;
  /**
   * Call it once. Never throws.
   *
   * @param attributes what is known by now.
   * @param error how it failed: a code of the catalogue, or a word of the gateway's own.
   */
  end(attributes?: SpanAttributes, error?: string): void;
}

/** Makes spans and exports them. What cannot be exported is dropped; nothing waits for it. */
export interface Tracing {
  start(name: string, options: SpanOptions): Span;
  /** Exports what has ended, as far as that is possible within a second. */
  close(): Promise<void>;
}
