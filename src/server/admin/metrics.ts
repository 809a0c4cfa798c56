/** The metrics as Prometheus reads them: prom-client writes what the families read when they are asked for. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, type RegistryContentType } from "prom-client";
import type { Durations } from "../../measures.ts";
import { FAMILIES, type Family, type HistogramFamily, type Labels, type MetricSources } from "./families.ts";

/** Of every family of the gateway's own. */
export const METRIC_PREFIX = "chat_gateway_";

export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export class Metrics {
  readonly #sources: MetricSources;
  /** One of each format, made when it is first asked for: prom-client renames counters where it writes OpenMetrics. */
  readonly #registries = new Map<RegistryContentType, Registry<RegistryContentType>>();

  constructor(sources: MetricSources) {
    this.#sources = sources;
  }

  /** Everything as it is now, in OpenMetrics where `accept` prefers that. */
  async text(accept: string | undefined): Promise<MetricsText> {
    const contentType = /\bapplication\/openmetrics-text\b/i.test(accept ?? "")
      ? Registry.OPENMETRICS_CONTENT_TYPE
      : Registry.PROMETHEUS_CONTENT_TYPE;
    const registry = this.#registry(contentType);
    return { contentType, text: await registry.metrics() };
  }

  #registry(contentType: RegistryContentType): Registry<RegistryContentType> {
    let registry = this.#registries.get(contentType);
    if (!registry) {
      registry = new Registry<RegistryContentType>();
      registry.setContentType(contentType);
      for (const family of FAMILIES) register(registry, family, this.#sources);
      collectDefaultMetrics({ register: registry });
      this.#registries.set(contentType, registry);
    }
    return registry;
  }
}

function register(registry: Registry<RegistryContentType>, family: Family, sources: MetricSources): void {
  const { help, labels: labelNames } = family;
  const options = { name: `${METRIC_PREFIX}${family.name}`, help, labelNames: [...labelNames], registers: [registry] };
  if (family.type === "histogram") {
    // oxlint-disable-next-line no-new -- it registers itself
    new CollectedHistogram(options, family, sources);
    return;
  }
  if (family.type === "gauge") {
    // oxlint-disable-next-line no-new -- it registers itself
    new Gauge({
      ...options,
      collect() {
        this.reset();
        for (const [labels, value] of family.read(sources)) this.set(labels, value);
      },
    });
    return;
  }
  // oxlint-disable-next-line no-new -- it registers itself
  new Counter({
    ...options,
    collect() {
      this.reset();
      for (const [labels, value] of family.read(sources)) this.inc(labels, value);
    },
  });
}

interface CollectedValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A histogram that was counted elsewhere. prom-client can set a counter and a gauge, but no histogram. */
class CollectedHistogram extends Histogram {
  readonly #name: string;
  readonly #family: HistogramFamily;
  readonly #sources: MetricSources;

  constructor(options: ConstructorParameters<typeof Histogram>[0], family: HistogramFamily, sources: MetricSources) {
    super(options);
    this.#name = options.name;
    this.#family = family;
    this.#sources = sources;
  }

  /** What the registry writes. */
  async getForPromString(): Promise<object> {
    const values = [...this.#family.read(this.#sources)].flatMap(([labels, durations]) =>
      valuesOf(this.#name, labels, durations),
    );
    return { name: this.#name, help: this.#family.help, type: "histogram", values, aggregator: "sum" };
  }
}

function valuesOf(name: string, labels: Labels, { bounds, counts, sum, count }: Durations): CollectedValue[] {
  let upTo = 0;
  const buckets = bounds.map((le, index) => {
    upTo += counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: upTo };
  });
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count },
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
