/** How this instance is, and how the others are. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { z } from "zod";
import { whereReachable, type Bus } from "../../bus/bus.ts";
import type { BusEvent } from "../../chat/events/registry.ts";
import type { Sessions } from "../../chat/sessions.ts";
import { shownConfig, type Config } from "../../config/config.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Instance } from "../../instance.ts";
import type { ChatApi } from "../../upstream/chat-api.ts";
import type { HttpServer } from "../http/http-server.ts";
import type { WebSockets } from "../websocket/websocket.ts";

/** How often a sample is taken, and the others are told. */
const SAMPLE_MS = 5000;

/** Ten minutes of them. */
const SAMPLES = 120;

/** An instance that has said nothing for so long is gone. */
const GONE_MS = 3 * SAMPLE_MS;

/** The set of all instances. */
const INSTANCES = "instances";

const summary = z.object({
  instance: z.string(),
  version: z.string(),
  startedAt: z.string(),
  /** The parts for which it is not ready. */
  notReady: z.array(z.string()),
  connections: z.number(),
  subscriptions: z.number(),
  deliveriesPerSecond: z.number(),
  operationsPerSecond: z.number(),
  eventLoopDelayMs: z.number(),
  heapBytes: z.number(),
});

type Summary = z.output<typeof summary>;

/** What charts show: one value each `SAMPLE_MS`. */
interface Sample extends Pick<
  Summary,
  "connections" | "subscriptions" | "deliveriesPerSecond" | "operationsPerSecond" | "eventLoopDelayMs" | "heapBytes"
> {
  readonly at: string;
}

export interface StatusParts {
  readonly config: Config;
  readonly instance: Instance;
  readonly bus: Bus<BusEvent>;
  readonly api: ChatApi;
  readonly sessions: Sessions;
  readonly operations: Operations;
  readonly webSockets: WebSockets;
  readonly http: Pick<HttpServer, "notReady">;
}

export class Status {
  readonly #parts: StatusParts;
  readonly #startedAt = new Date();
  readonly #samples: Sample[] = [];
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  #last = { atMs: performance.now(), deliveries: 0, operations: 0 };
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** Begins to take samples, and to tell the other instances. */
  start(): void {
    this.#delay.enable();
    const sample = (): void => this.#sample();
    sample();
    this.#timer = setInterval(sample, SAMPLE_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#delay.disable();
    const { bus, instance } = this.#parts;
    await whereReachable(bus.expiringSets.remove(INSTANCES, instance.name), undefined);
  }

  /** The names of all instances, this one included. */
  async names(): Promise<readonly string[]> {
    return (await this.#instances()).map(({ instance }) => instance);
  }

  /** Everything that GET /status answers. */
  async read(): Promise<object> {
    const { config, instance, bus, api, sessions, operations, webSockets } = this.#parts;
    const own = this.#summary(this.#samples.at(-1));
    return {
      ...own,
      uptimeSeconds: Math.round((Date.now() - this.#startedAt.getTime()) / 1000),
      node: process.version,
      configuration: shownConfig(config),
      redis: { isConfigured: config.REDIS_URL !== undefined, isUp: bus.isConnected, ...bus.statistics },
      restApi: api.status,
      connections: { ...webSockets.connections.count(), total: webSockets.size },
      sessions: { ...sessions.size, recheckWithinMs: sessions.recheckWithinMs },
      fields: operations.statistics.fields.map(({ name, subscriptions, deliveries, executions }) => ({
        name,
        subscriptions,
        deliveries,
        executions,
      })),
      samples: this.#samples,
      instances: await this.#instances(instance.name),
    };
  }

  /** This one is among them though the bus cannot be reached. */
  async #instances(ownName = this.#parts.instance.name): Promise<readonly Summary[]> {
    const { bus } = this.#parts;
    const [members = []] = await whereReachable(bus.expiringSets.list([INSTANCES]), []);
    const others = members.flatMap((member) => summary.safeParse(member).data ?? []);
    const all = [this.#summary(this.#samples.at(-1)), ...others.filter(({ instance }) => instance !== ownName)];
    return all.toSorted((a, b) => (a.instance < b.instance ? -1 : 1));
  }

  #summary(sample: Sample | undefined): Summary {
    const { instance, http, webSockets } = this.#parts;
    return {
      instance: instance.name,
      version: instance.version,
      startedAt: this.#startedAt.toISOString(),
      notReady: [...http.notReady()],
      connections: webSockets.size,
      subscriptions: this.#subscriptions,
      deliveriesPerSecond: sample?.deliveriesPerSecond ?? 0,
      operationsPerSecond: sample?.operationsPerSecond ?? 0,
      eventLoopDelayMs: sample?.eventLoopDelayMs ?? 0,
      heapBytes: process.memoryUsage().heapUsed,
    };
  }

  get #subscriptions(): number {
    return this.#parts.operations.statistics.fields.reduce((sum, { subscriptions }) => sum + subscriptions, 0);
  }

  #sample(): void {
    const { statistics } = this.#parts.operations;
    const deliveries = statistics.fields.reduce((sum, field) => sum + field.deliveries, 0);
    const operations = [...statistics.ended.values()].reduce((sum, { total }) => sum + total, 0);
    const atMs = performance.now();
    const seconds = Math.max(0.001, (atMs - this.#last.atMs) / 1000);
    this.#samples.push({
      at: new Date().toISOString(),
      connections: this.#parts.webSockets.size,
      subscriptions: this.#subscriptions,
      deliveriesPerSecond: rounded((deliveries - this.#last.deliveries) / seconds),
      operationsPerSecond: rounded((operations - this.#last.operations) / seconds),
      // Nothing was measured yet.
      eventLoopDelayMs: Number.isNaN(this.#delay.mean) ? 0 : rounded(this.#delay.percentile(99) / 1e6),
      heapBytes: process.memoryUsage().heapUsed,
    });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#last = { atMs, deliveries, operations };
    this.#delay.reset();
    void this.#tell();
  }

  /** Where the bus cannot be reached nobody is to be told. */
  async #tell(): Promise<void> {
    const { bus, instance } = this.#parts;
    const own = this.#summary(this.#samples.at(-1));
    await whereReachable(bus.expiringSets.put(INSTANCES, instance.name, own, GONE_MS), undefined).catch(
      () => undefined,
    );
  }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
