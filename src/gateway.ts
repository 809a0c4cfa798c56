/** The composition root: what the gateway is made of, in the order in which it starts. It ends in the opposite one. */
import { randomBytes } from "node:crypto";
import type { Bus, BusOptions } from "./bus/bus.ts";
import { createMemoryBus } from "./bus/memory/memory-bus.ts";
import { TracedBus } from "./bus/traced-bus.ts";
import { createChatDomain, type ChatDomain } from "./chat/chat.ts";
import { createMessageLimiter, OperationLimit } from "./chat/rate-limit.ts";
import { compactionOf, decodeEvent, idOf, kindOf, timeOf, type BusEvent } from "./chat/events/registry.ts";
import { systemClock, type Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { Fanout } from "./fanout/fanout.ts";
import type { ReplaySource, StartOutcome } from "./recovery/past.ts";
import { ResumePoints } from "./recovery/resume.ts";
import { Subscriptions } from "./fanout/subscriptions.ts";
import type { DevApi } from "./dev/api.ts";
import { Operations } from "./graphql/operations.ts";
import { buildSchema } from "./graphql/schema.ts";
import { createInstance, type Instance } from "./instance.ts";
import { loadTrustedDocuments } from "./graphql/trusted-documents.ts";
import { createLog, standardOutput, withInstance, type Log } from "./log.ts";
import type { Tracing } from "./tracing.ts";
import { Counts } from "./measures.ts";
import { startAdmin } from "./server/admin/admin.ts";
import { drain } from "./server/drain.ts";
import { ConnectionLimits } from "./server/connection-limits.ts";
import { ClientOrigins } from "./server/client-origin.ts";
import { createEventsEndpoint, EventsStatistics } from "./server/http/events-endpoint.ts";
import { EventStreams } from "./server/http/event-streams.ts";
import { createGraphQLHttp } from "./server/http/graphql-http.ts";
import { createDemo } from "./server/demo/demo.ts";
import { createGraphiQL } from "./server/graphiql/graphiql.ts";
import { startHttpServer } from "./server/http/http-server.ts";
import { RequestPolicy } from "./server/http/request-policy.ts";
import { startStatistics } from "./server/statistics.ts";
import { WebSockets } from "./server/websocket/websocket.ts";
import type { ChatApi } from "./upstream/chat-api.ts";
import type { Adapter } from "./upstream/adapter/adapter.ts";
import { loadAdapter } from "./upstream/adapter/load.ts";
import { createAdaptedChatApi, createRestChatApi } from "./upstream/rest-chat-api.ts";

/** Heartbeats within which a connection that lives has confirmed what it was given. */
const CONFIRMATION_BEATS = 3;

/** Where an adapter that does without HTTP finds nobody. */
const NO_API = "http://api.invalid";

const STATISTICS_INTERVAL_MS = 60_000;

export interface Gateway extends AsyncDisposable {
  /** The GraphQL endpoint, as seen from this machine. */
  readonly url: string;
  /** The embedded development API, where it runs. */
  readonly devApi: DevApi | undefined;
  /** The admin listener: scheme, host and port. Undefined without ADMIN_PORT. */
  readonly adminUrl: string | undefined;
  /**
   * Stops: takes nobody in, answers what is in flight, lets the clients go over DRAIN_WINDOW. Resolves at the latest 3.5 s after
   * that, when nothing runs any more. The same promise when called again.
   */
  close(): Promise<void>;
}

/** What a caller may put in the place of the gateway's own. */
export interface Overrides {
  readonly log?: Log;
  /** Shared with other gateways, which it makes one with this; whoever brings it closes it. */
  readonly bus?: Bus<BusEvent>;
  /** In the place of the module that HTTP_API_ADAPTER names; it may do without HTTP_API_URL, and without HTTP. */
  readonly api?: Adapter;
  /** For when tokens expire and are asked about again. */
  readonly clock?: Clock;
  readonly statisticsIntervalMs?: number;
  /** Milliseconds that the start waits for Redis; it goes on without it then, and is not ready. */
  readonly startPatienceMs?: number;
  /** What this instance is called. */
  readonly instance?: Instance;
}

/** Starts a gateway. Any number of them may run in one process. Rejects where it cannot start, with nothing left running. */
export async function createGateway(config: Config, overrides: Overrides = {}): Promise<Gateway> {
  await using starting = new AsyncDisposableStack();
  const instance = overrides.instance ?? createInstance();
  const log = withInstance(overrides.log ?? createLog(config, await standardOutput(), instance), instance);
  const schema = buildSchema();
  const trustedDocuments = await loadTrustedDocuments(config.TRUSTED_DOCUMENTS, schema, config.INTROSPECTION);
  const tracing = await startTracing(config, instance, log, starting);
  const { devApi, api } = await startUpstream(config, overrides.api, tracing, log, starting);
  const rateLimited = new Counts(["messages", "operations", "failed_auth", "connection", "histories"]);
  const { bus, chat, fanout } = await startDomain(config, overrides, { api, rateLimited, tracing, log }, starting);
  const replayed = new Counts<ReplaySource>(["log", "history"]);
  const starts = new Counts<StartOutcome>(["new", "resumed", "after", "expired"]);
  const subscriptions = await createSubscriptions(config, { bus, chat, fanout, replayed, starts, log }, starting);

  const operationLimit = new OperationLimit(bus, config.RATE_LIMIT_OPERATIONS, rateLimited);
  const operations = new Operations({
    schema,
    introspection: config.INTROSPECTION,
    trustedDocuments,
    services: { ...chat, operationLimit, subscriptions },
    log,
    tracing,
  });
  const rejections = new Counts(["address", "draining", "full", "host", "origin", "path", "user"]);
  const origins = new ClientOrigins(config.TRUST_PROXY, log);
  const limits = new ConnectionLimits({ config, rejections, rateLimited, log });
  const webSockets = new WebSockets({ config, origins, limits, sessions: chat.sessions, operations, log });
  const streams = new EventStreams();
  const events = new EventsStatistics();
  // The admin listener goes on until the others have ended.
  const adminStack = starting.use(new AsyncDisposableStack());
  // The embedded API speaks to its gateway, with a secret that nobody else needs to know.
  const secrets = config.EVENTS_SECRET ?? (devApi && [`whsec_${randomBytes(24).toString("base64")}`]);
  const policy = new RequestPolicy(config, log, devApi !== undefined);
  const webhooks = { events: chat.backendEvents, statistics: events, origins, log, tracing };
  const http = await startHttpServer({
    config,
    policy,
    graphql: createGraphQLHttp({ config, policy, origins, limits, streams, sessions: chat.sessions, operations, log }),
    demo: devApi && createDemo({ users: devApi.users, tokens: devApi.data, restartSockets: () => webSockets.drain(0) }),
    graphiql: config.GRAPHIQL ? createGraphiQL(devApi && examples(devApi)) : undefined,
    events: secrets && createEventsEndpoint({ ...webhooks, secrets, maxBytes: config.MAX_PAYLOAD_SIZE }),
    webSockets,
    notReady: () => [...(bus.isConnected ? [] : ["redis"]), ...(limits.isFull ? ["full"] : [])],
    rejections,
    log,
  });
  starting.defer(() =>
    drain({ http, webSockets, streams, fanout, windowMs: config.DRAIN_WINDOW, isBalanced: !devApi }),
  );
  const secret = secrets?.[0];
  if (devApi && secret !== undefined) devApi.sendEventsTo({ url: new URL("/events", http.url).href, secret });
  const intervalMs = overrides.statisticsIntervalMs ?? STATISTICS_INTERVAL_MS;
  const counted = { rejections, events, rateLimited, replayed, starts };
  const parts = { ...chat, config, instance, operations, webSockets, counted, api, bus, fanout, http, log };
  starting.defer(startStatistics(parts, intervalMs));
  const adminUrl = await startAdmin(parts, adminStack);
  log.info({ url: http.url, admin: adminUrl, api: config.HTTP_API_URL ?? "embedded" }, "listening");

  const running = starting.move();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= running.disposeAsync());
  return { url: http.url, devApi, adminUrl, close, [Symbol.asyncDispose]: close };
}

/** The REST API: somebody's, or the embedded one. */
async function startUpstream(
  config: Config,
  given: Adapter | undefined,
  tracing: Tracing | undefined,
  log: Log,
  starting: AsyncDisposableStack,
): Promise<{ readonly devApi: DevApi | undefined; readonly api: ChatApi }> {
  const devApi =
    config.HTTP_API_URL === undefined && given === undefined ? starting.use(await startEmbeddedApi(config)) : undefined;
  const path = config.HTTP_API_ADAPTER;
  const adapter = given ?? (path === undefined ? undefined : await loadAdapter(path));
  const options = {
    baseUrl: config.HTTP_API_URL ?? devApi?.url ?? NO_API,
    timeoutMs: config.HTTP_API_TIMEOUT,
    maxAnswerBytes: config.HTTP_API_MAX_RESPONSE,
    attempts: config.HTTP_API_RETRIES,
    idempotentPosts: config.HTTP_API_IDEMPOTENT,
    tracing,
    log,
  };
  const api = adapter
    ? createAdaptedChatApi(adapter, given ? "the adapter" : (path ?? ""), options)
    : createRestChatApi(options);
  // By then nobody waits for an answer any more.
  starting.defer(() => api.close(0));
  return { devApi, api };
}

/** Loads it as well: where nothing is traced nothing of it is. */
async function startTracing(
  { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: ratio }: Config,
  instance: Instance,
  log: Log,
  starting: AsyncDisposableStack,
): Promise<Tracing | undefined> {
  if (endpoint === undefined) return undefined;
  const { createOpenTelemetry } = await import("./open-telemetry.ts");
  return starting.adopt(createOpenTelemetry({ endpoint, ratio, instance, log }), (tracing) => tracing.close());
}

/** Loads it as well: in production nothing of it is. */
async function startEmbeddedApi(config: Config): Promise<DevApi> {
  const { startDevApi } = await import("./dev/api.ts");
  return startDevApi({ file: config.DEV_API_FILE, port: config.DEV_API_PORT });
}

interface DomainParts {
  readonly api: ChatApi;
  readonly rateLimited: Counts;
  readonly tracing: Tracing | undefined;
  readonly log: Log;
}

/** What knows nothing of GraphQL. */
async function startDomain(
  config: Config,
  overrides: Overrides,
  { api, rateLimited, tracing, log }: DomainParts,
  starting: AsyncDisposableStack,
): Promise<{ readonly bus: Bus<BusEvent>; readonly chat: ChatDomain; readonly fanout: Fanout }> {
  const plain = overrides.bus ?? starting.adopt(await createBus(config, log, overrides), (own) => own.close());
  const bus = tracing ? new TracedBus({ bus: plain, tracing, idOf, kindOf }) : plain;
  const clock = overrides.clock ?? systemClock;
  const limiter = createMessageLimiter(bus, config.RATE_LIMIT_MESSAGES, rateLimited);
  const chat = createChatDomain({ config, api, bus, limiter, rateLimited, clock, log });
  starting.defer(() => chat.close());
  await chat.start();
  const fanout = new Fanout({
    bus,
    directory: chat.directory,
    presence: chat.presence,
    presenceAudience: chat.presenceAudience,
    history: chat.history,
    reads: chat.reads,
    replayLimit: config.REPLAY_LIMIT,
    turns: chat.turns,
    log,
    tracing,
  });
  starting.defer(() => fanout.close());
  await fanout.start();
  return { bus, chat, fanout };
}

interface SubscriptionsParts {
  readonly bus: Bus<BusEvent>;
  readonly chat: ChatDomain;
  readonly fanout: Fanout;
  readonly replayed: Counts<ReplaySource>;
  readonly starts: Counts<StartOutcome>;
  readonly log: Log;
}

async function createSubscriptions(
  config: Config,
  { bus, chat, fanout, replayed, starts, log }: SubscriptionsParts,
  starting: AsyncDisposableStack,
): Promise<Subscriptions> {
  const resumePoints = new ResumePoints({
    bus,
    windowMs: config.RESUME_WINDOW,
    confirmationMs: CONFIRMATION_BEATS * config.HEARTBEAT_INTERVAL,
    log,
  });
  starting.defer(() => resumePoints.close());
  await resumePoints.start();
  const { history, turns } = chat;
  const sources = { log: bus.log, history, turns, limit: config.REPLAY_LIMIT, replayed, starts };
  return new Subscriptions({ ...chat, fanout, sources, resumePoints, log });
}

async function createBus(config: Config, log: Log, { startPatienceMs }: Overrides): Promise<Bus<BusEvent>> {
  const options: BusOptions<BusEvent> = {
    kindOf,
    idOf,
    compactionOf,
    timeOf,
    decode: decodeEvent,
    // A client that returns at the last moment is at the position that it confirmed last.
    logAgeMs: config.RESUME_WINDOW + CONFIRMATION_BEATS * config.HEARTBEAT_INTERVAL,
    onListenerError: (error) => log.error({ err: error }, "an event could not be delivered"),
  };
  if (config.REDIS_URL === undefined) return createMemoryBus(options);
  const { createRedisBus } = await import("./bus/redis/redis-bus.ts");
  return createRedisBus({
    ...options,
    url: config.REDIS_URL,
    prefix: config.REDIS_PREFIX,
    startPatienceMs,
    presenceTtlMs: config.PRESENCE_TTL,
    presenceGraceMs: config.PRESENCE_GRACE,
    onOutage: (error) => log.warn({ err: error }, "Redis, or a node of it, is disconnected"),
    onReturn: () => log.info("Redis is connected again"),
    onSilent: () => log.warn("Redis does not answer; events wait until it does"),
    onAnswer: () => log.info("Redis answers again"),
    onRefused: (error) => log.error({ err: error }, "Redis refuses to write; events wait until it accepts them"),
    onAccepted: () => log.info("Redis accepts writes again"),
    onDropping: (topic) =>
      log.error({ topic }, "too many events wait for Redis; the topic's listeners will recover them from the REST API"),
  });
}

/** Demo tokens are public: they may stand in a page that anybody can load. */
function examples({ users, demoChatId }: DevApi): { exampleToken: string | undefined; exampleChatId: string } {
  return { exampleToken: users[0]?.token, exampleChatId: demoChatId };
}
