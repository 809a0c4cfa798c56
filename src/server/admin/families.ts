/** Every family of metrics: its name, what it means, and where its values are read. Labels have few values, and none that a client chose. */
import type { Bus } from "../../bus/bus.ts";
import type { Sessions } from "../../chat/sessions.ts";
import type { Fanout } from "../../fanout/fanout.ts";
import { droppedLines, type Log } from "../../log.ts";
import type { Counts, Durations } from "../../measures.ts";
import type { EventsStatistics } from "../http/events-endpoint.ts";
import type { ConnectionCounts } from "../websocket/connection-counts.ts";
import type { OperationStatistics } from "../../graphql/statistics.ts";
import type { ChatApi } from "../../upstream/chat-api.ts";

export type Labels = Readonly<Record<string, string>>;

/** The labels of one series, and its value. */
type Sample = readonly [labels: Labels, value: number];

interface Described {
  /** Without the prefix. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

interface ValueFamily extends Described {
  readonly type: "counter" | "gauge";
  readonly read: (sources: MetricSources) => Iterable<Sample>;
}

export interface HistogramFamily extends Described {
  readonly type: "histogram";
  readonly read: (sources: MetricSources) => Iterable<readonly [labels: Labels, durations: Durations]>;
}

export type Family = ValueFamily | HistogramFamily;

/** Where the values are. Each is read when somebody asks for the metrics. */
export interface MetricSources {
  readonly version: string;
  readonly operations: OperationStatistics;
  readonly closes: Counts;
  readonly rejections: Counts;
  readonly rateLimited: Counts;
  readonly replayed: Counts;
  readonly starts: Counts;
  readonly events: EventsStatistics;
  readonly api: Pick<ChatApi, "status" | "statistics">;
  readonly bus: Pick<Bus<unknown>, "isConnected" | "statistics" | "commands" | "gaps">;
  readonly fanout: Pick<Fanout, "deliveryTimes">;
  readonly connections: () => ConnectionCounts & { readonly sse: number };
  readonly sessions: Pick<Sessions, "recheckWithinMs">;
  readonly log: Log;
}

const NONE: Labels = {};

function gauge(name: string, help: string, read: (sources: MetricSources) => number): Family {
  return { type: "gauge", name, help, labels: [], read: (sources) => [[NONE, read(sources)]] };
}

function counter(name: string, help: string, read: (sources: MetricSources) => number): Family {
  return { type: "counter", name, help, labels: [], read: (sources) => [[NONE, read(sources)]] };
}

function histogram(name: string, help: string, read: (sources: MetricSources) => Durations): Family {
  return { type: "histogram", name, help, labels: [], read: (sources) => [[NONE, read(sources)]] };
}

/** A counter with one label. */
function counts(name: string, help: string, label: string, read: (sources: MetricSources) => Counts): Family {
  return { type: "counter", name, help, labels: [label], read: (sources) => labelled(label, read(sources)) };
}

function* labelled(label: string, values: Iterable<readonly [string, number]>): Generator<Sample> {
  for (const [value, count] of values) yield [{ [label]: value }, count];
}

/** By their value. */
const BREAKER_STATES = ["closed", "half-open", "open"] as const;

export const FAMILIES: readonly Family[] = [
  {
    type: "gauge",
    name: "connections",
    help: "Open connections: WebSockets before connection_ack (opening), after it (open) and while they close (closing), and SSE streams (sse)",
    labels: ["state"],
    read({ connections }) {
      const { opening, open, closing, sse } = connections();
      return labelled("state", Object.entries({ opening, open, closing, sse }));
    },
  },
  counts("connections_rejected_total", "Connections that were turned away", "reason", ({ rejections }) => rejections),
  counts("closes_total", "WebSockets that were closed, by close code", "code", ({ closes }) => closes),
  gauge(
    "lagging_connections",
    "WebSockets whose client reads so slowly that it is sent no events for now",
    ({ connections }) => connections().lagging,
  ),
  {
    type: "gauge",
    name: "subscriptions",
    help: "Running subscriptions",
    labels: ["field"],
    read: ({ operations }) => operations.fields.map(({ name, subscriptions }) => [{ field: name }, subscriptions]),
  },
  {
    type: "counter",
    name: "deliveries_total",
    help: "Events that were written to a subscription",
    labels: ["field"],
    read: ({ operations }) => operations.fields.map(({ name, deliveries }) => [{ field: name }, deliveries]),
  },
  {
    type: "counter",
    name: "executions_total",
    help: "Executions of a subscription's selection: equal subscriptions share one for each event",
    labels: ["field"],
    read: ({ operations }) => operations.fields.map(({ name, executions }) => [{ field: name }, executions]),
  },
  histogram(
    "delivery_seconds",
    "From an event's publication, by the clock of the log, until it was written to this instance's sockets; one observation an event",
    ({ fanout }) => fanout.deliveryTimes,
  ),
  counts(
    "resume_total",
    "Subscriptions to messages and receipts that were started, by where they began",
    "outcome",
    ({ starts }) => starts,
  ),
  counts(
    "replayed_events_total",
    "Events that a subscription was given late, by where they were read",
    "source",
    ({ replayed }) => replayed,
  ),
  counts(
    "gaps_total",
    "Times that events of a topic had not arrived: the log had them, the REST API's history was asked, or they could not be read",
    "outcome",
    ({ bus }) => bus.gaps,
  ),
  {
    type: "counter",
    name: "operations_total",
    help: "Operations by how they ended: OK, or the code of the first error. A subscription counts when it starts",
    labels: ["type", "code"],
    *read({ operations }) {
      for (const [type, codes] of operations.ended) for (const [code, count] of codes) yield [{ type, code }, count];
    },
  },
  {
    type: "histogram",
    name: "operation_seconds",
    help: "How long queries and mutations took, and subscriptions to start",
    labels: ["type"],
    *read({ operations }) {
      for (const [type, durations] of operations.durations) yield [{ type }, durations];
    },
  },
  counts("rate_limited_total", "What was refused for a rate limit", "limit", ({ rateLimited }) => rateLimited),
  {
    type: "histogram",
    name: "upstream_request_seconds",
    help: "How long attempts of requests to the REST API took, waiting for a connection included",
    labels: ["route", "outcome"],
    *read({ api }) {
      for (const [route, outcomes] of api.statistics.requests) {
        for (const [outcome, durations] of outcomes) yield [{ route, outcome }, durations];
      }
    },
  },
  gauge("upstream_in_flight", "Requests that wait for the REST API's answer", ({ api }) => api.status.inFlight),
  gauge("upstream_waiting", "Requests that wait for a connection to the REST API", ({ api }) => api.status.waiting),
  counts(
    "upstream_retries_total",
    "Requests that were sent to the REST API again",
    "route",
    ({ api }) => api.statistics.retries,
  ),
  gauge(
    "upstream_breaker_state",
    "The circuit breaker: 0 closed, 1 half-open, 2 open, when requests fail at once",
    ({ api }) => BREAKER_STATES.indexOf(api.status.circuit),
  ),
  {
    type: "counter",
    name: "events_received_total",
    help: "Requests to POST /events",
    labels: ["type", "outcome"],
    *read({ events }) {
      for (const [type, outcomes] of events.received) {
        for (const [outcome, count] of outcomes) yield [{ type, outcome }, count];
      }
    },
  },
  gauge("redis_up", "1 while Redis answers, receives and takes writes; 1 without Redis", ({ bus }) =>
    bus.isConnected ? 1 : 0,
  ),
  counter("redis_outages_total", "Times that a connection to Redis was lost", ({ bus }) => bus.statistics.outages),
  histogram("redis_command_seconds", "How long Redis took to answer a command or a script", ({ bus }) => bus.commands),
  gauge("bus_queued", "Events that wait until Redis accepts them", ({ bus }) => bus.statistics.queued),
  counter(
    "bus_dropped_total",
    "Events that were dropped since too many waited; their topics recover them from the REST API",
    ({ bus }) => bus.statistics.dropped,
  ),
  counter("bus_undecodable_total", "What arrived from Redis and is no event", ({ bus }) => bus.statistics.undecodable),
  gauge(
    "session_staleness_seconds",
    "The time within which every open session is checked with the REST API again: so long a sign-out or a change of membership that nobody reports may go unnoticed",
    ({ sessions }) => sessions.recheckWithinMs / 1000,
  ),
  counter(
    "log_lines_dropped_total",
    "Lines of the log that were dropped, since whoever reads it stands still or has gone",
    ({ log }) => droppedLines(log),
  ),
  {
    type: "gauge",
    name: "build_info",
    help: "1; its label is the version",
    labels: ["version"],
    read: ({ version }) => [[{ version }, 1]],
  },
];
