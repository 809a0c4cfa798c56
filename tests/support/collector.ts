/** An OpenTelemetry collector: takes traces over OTLP/HTTP, as JSON. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { z } from "zod";

const attributes = z.array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }));

const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes,
  status: z.object({ code: z.number().optional(), message: z.string().optional() }),
});

const request = z.object({
  resourceSpans: z.array(
    z.object({ resource: z.object({ attributes }), scopeSpans: z.array(z.object({ spans: z.array(span) })) }),
  ),
});

export interface CollectedSpan extends z.output<typeof span> {
  /** The resource's `service.instance.id`. */
  readonly instance: unknown;
  /** The attributes by name, numbers and texts alike as text. */
  readonly said: Readonly<Record<string, string>>;
}

export interface Collector extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  /** All that was sent, as it came. */
  readonly bodies: readonly string[];
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const bodies: string[] = [];
  const server = createServer((incoming, response) => {
    const receive = async (): Promise<void> => {
      const body = await text(incoming);
      const isTraces = incoming.method === "POST" && incoming.url === "/v1/traces";
      if (isTraces) {
        bodies.push(body);
        spans.push(...read(body));
      }
      response.writeHead(isTraces ? 200 : 404, { "content-type": "application/json" }).end("{}");
    };
    receive().catch(() => response.writeHead(400).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    bodies,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function read(body: string): CollectedSpan[] {
  return request.parse(JSON.parse(body)).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const instance = named(resource.attributes)["service.instance.id"];
    return scopeSpans.flatMap((scope) => scope.spans.map((one) => ({ ...one, instance, said: named(one.attributes) })));
  });
}

function named(values: z.output<typeof attributes>): Record<string, string> {
  return Object.fromEntries(values.map(({ key, value }) => [key, String(Object.values(value)[0])]));
}
