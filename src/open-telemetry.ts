/** The exporter of traces: OpenTelemetry's SDK, over OTLP/HTTP. Nothing else imports the SDK, and this module is loaded where it is configured alone. */
import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind as Kind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as SdkSpan,
  type Tracer,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanExporter,
} from "@opentelemetry/sdk-trace";
import { boundedWait } from "./bounded.ts";
import type { Instance } from "./instance.ts";
import type { Log } from "./log.ts";
import type { Span, SpanAttributes, SpanOptions, Tracing } from "./tracing.ts";

/** How long the end of the gateway waits for the collector. */
const CLOSE_PATIENCE_MS = 1000;

/** How long spans that have ended wait for others, to be exported together. */
const EXPORT_DELAY_MS = 1000;

interface OpenTelemetryOptions {
  /** Of the collector; `/v1/traces` is added. */
  readonly endpoint: string;
  /** How many of the traces that begin here are exported, 0 to 1. Those that begin elsewhere are, where their beginning says so. */
  readonly ratio: number;
  readonly instance: Instance;
  readonly log: Log;
}

/** Nothing of it is registered for the process: another gateway, or the program around this one, may have its own. */
export function createOpenTelemetry({ endpoint, ratio, instance, log }: OpenTelemetryOptions): Tracing {
  const own = resourceFromAttributes({
    "service.name": "graphql-chat-gateway",
    "service.version": instance.version,
    "service.instance.id": instance.name,
  });
  const exporter = reporting(new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }), log);
  const provider = new TracerProvider({
    resource: own.merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] })),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: EXPORT_DELAY_MS })],
  });
  return new OpenTelemetry(provider, log);
}

class OpenTelemetry implements Tracing {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #log: Log;

  constructor(provider: TracerProvider, log: Log) {
    this.#provider = provider;
    this.#tracer = provider.getTracer("graphql-chat-gateway");
    this.#log = log;
  }

  start(name: string, { kind, parent, attributes, startedAtMs }: SpanOptions): Span {
    const options = {
      kind: KINDS[kind],
      ...(attributes === undefined ? {} : { attributes }),
      ...(startedAtMs === undefined ? {} : { startTime: startedAtMs }),
    };
    return new OpenTelemetrySpan(this.#tracer.startSpan(name, options, contextOf(parent)));
  }

  async close(): Promise<void> {
    const closed = this.#provider.shutdown().then(() => true);
    try {
      const isClosed = await boundedWait(CLOSE_PATIENCE_MS, closed, false);
      if (!isClosed) warn(this.#log, new Error("the collector did not answer in time"));
    } catch (error) {
      warn(this.#log, error);
    }
  }
}

class OpenTelemetrySpan implements Span {
  readonly #span: SdkSpan;

  constructor(span: SdkSpan) {
    this.#span = span;
  }

  get traceparent(): string {
    const { traceId, spanId } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-0${this.isSampled ? 1 : 0}`;
  }

  get isSampled(): boolean {
    return (this.#span.spanContext().traceFlags & TraceFlags.SAMPLED) > 0;
  }

  end(attributes?: SpanAttributes, error?: string): void {
    if (attributes) this.#span.setAttributes(attributes);
    if (error !== undefined) {
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      this.#span.setAttribute("error.type", error);
    }
    this.#span.end();
  }
}

const KINDS = { server: Kind.SERVER, client: Kind.CLIENT, producer: Kind.PRODUCER, consumer: Kind.CONSUMER } as const;

function contextOf(traceparent: string | undefined): Context {
  const [, traceId = "", spanId = "", flags = ""] = traceparent?.split("-") ?? [];
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

/** The same, which says in the log what it could not export. */
function reporting(exporter: SpanExporter, log: Log): SpanExporter {
  return {
    export: (spans, onResult) =>
      exporter.export(spans, (result) => {
        if (result.error) warn(log, result.error);
        onResult(result);
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}

function warn(log: Log, err: unknown): void {
  log.warn({ err }, "traces could not be exported");
}
