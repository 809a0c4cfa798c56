/** The one port: GraphQL, GraphiQL, health, and the upgrade to WebSocket. */
import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Config } from "../../config/config.ts";
import type { Log } from "../../log.ts";
import type { Counts } from "../../measures.ts";
import type { Demo } from "../demo/demo.ts";
import { wantsGraphiQL, type GraphiQL } from "../graphiql/graphiql.ts";
import { byQuality } from "./accept.ts";
import { answer, answerReady } from "./answer.ts";
import { listen } from "./listen.ts";
import type { RequestPolicy } from "./request-policy.ts";
import { isAuthority, pathOf, useOriginForm } from "./request-target.ts";
import { setResponseHeaders } from "./response-headers.ts";
import { Sockets } from "./sockets.ts";
import { UnreadAnswers } from "./unread-answers.ts";
import type { WebSockets } from "../websocket/websocket.ts";

const GRAPHQL_PATH = "/graphql";

/** Health checks and backends use a name inside the network. The first two tell nothing, the third takes what is signed alone. */
const ANY_HOST_PATHS: ReadonlySet<string> = new Set(["/health", "/ready", "/events"]);

/** Longer than load balancers wait between health checks. */
const IN_USE_MS = 30_000;

interface HttpServerOptions {
  readonly config: Pick<Config, "HOST" | "KEEP_ALIVE_TIMEOUT" | "PORT" | "REQUEST_TIMEOUT">;
  readonly policy: RequestPolicy;
  readonly graphql: (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;
  /** Undefined: the backend has no secret to sign events with. */
  readonly events: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  /** Undefined: browsers get no page. */
  readonly graphiql: GraphiQL | undefined;
  /** Undefined: there is no embedded development API. */
  readonly demo: Demo | undefined;
  readonly webSockets: WebSockets;
  /** Of the other parts, those for which nobody should be sent here. Who is connected is served all the same. */
  readonly notReady: () => readonly string[];
  /** Counts upgrades that are refused, by reason. */
  readonly rejections: Counts;
  readonly log: Log;
}

export interface HttpServer {
  readonly url: string;
  /** The parts for which the gateway is not ready: `draining`, and those of the other parts. */
  notReady(): readonly string[];
  /** Says that it is not ready, and takes no further upgrade; requests go on, so that a load balancer can look elsewhere first. */
  drain(): void;
  /** Whether somebody asks it things: a load balancer does, if only whether it is ready. */
  isInUse(): boolean;
  /** Takes no further connection; what is under way goes on. */
  stop(): void;
  /** Resolves when no connection is left, those of SSE streams and WebSockets included. */
  closed(): Promise<void>;
  /** Drops whoever is left, at once. */
  terminate(): void;
}

/** Listens. Rejects where the port is taken or the address is not this machine's. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { config, webSockets, rejections, log } = options;
  let isDraining = false;
  let isStopping = false;
  const notReady = (): readonly string[] => [...(isDraining ? ["draining"] : []), ...options.notReady()];
  const underWay = new Set<ServerResponse>();
  const sockets = new Sockets();
  const use = new Use();
  const answers = new UnreadAnswers(config.REQUEST_TIMEOUT);
  const begin = (request: IncomingMessage, response: ServerResponse): void => {
    underWay.add(response);
    response.once("close", () => {
      underWay.delete(response);
      // Begun before the end did, it has promised to keep its connection.
      if (isStopping) request.socket.destroySoon();
    });
    respond(options, isDraining, notReady, request, response).catch((error: unknown) => {
      log.error({ err: error }, "a request could not be answered");
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    });
  };
  const server = createServer(serverOptions(config), (request, response) => {
    use.note();
    sockets.note(request.socket);
    useOriginForm(request);
    answers.take(request.socket, response, () => begin(request, response));
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.on("upgrade", (request, socket, head) => {
    sockets.note(request.socket);
    useOriginForm(request);
    socket.on("error", (error) => log.debug({ err: error }, "an upgrading socket broke"));
    webSockets.inTurn(() => {
      const refusal = isDraining ? DRAINING : refuseUpgrade(options.policy, request);
      if (refusal === undefined) webSockets.upgrade(request, socket, head);
      else refuse(socket, refusal, rejections);
    });
  });
  const url = `${await listen(server, config.PORT, config.HOST)}${GRAPHQL_PATH}`;
  return {
    url,
    notReady,
    isInUse: () => use.isRecent,
    drain() {
      isDraining = true;
      for (const response of underWay) if (!response.headersSent) response.setHeader("connection", "close");
    },
    stop() {
      isStopping = true;
      answers.stop();
      // Closes idle connections as well, but for those on which nothing was ever asked: browsers open some in advance.
      server.close();
      sockets.dropSilent();
    },
    closed: () => sockets.closed(),
    terminate: () => sockets.terminate(),
  };
}

/** When somebody has asked last. */
class Use {
  #atMs = -Infinity;

  note(): void {
    this.#atMs = performance.now();
  }

  get isRecent(): boolean {
    return performance.now() - this.#atMs < IN_USE_MS;
  }
}

function serverOptions({ KEEP_ALIVE_TIMEOUT, REQUEST_TIMEOUT }: HttpServerOptions["config"]): ServerOptions {
  return {
    shouldUpgradeCallback: asksForWebSocket,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    headersTimeout: REQUEST_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    // How late a slow request may be noticed.
    connectionsCheckingInterval: Math.min(1000, Math.ceil(REQUEST_TIMEOUT / 4)),
  };
}

async function respond(
  { graphql, graphiql, demo, events, policy }: HttpServerOptions,
  isDraining: boolean,
  notReady: () => readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  setResponseHeaders(response);
  // A connection kept alive would hold up the end of a server that is stopping.
  if (isDraining) response.setHeader("connection", "close");
  const { accept, host } = request.headers;
  // What answers looks at the order alone.
  if (accept !== undefined) request.headers.accept = byQuality(accept);
  if (host !== undefined && !isAuthority(host)) {
    answer(response, 400, { error: "bad host" });
    return;
  }
  const path = pathOf(request);
  if (!ANY_HOST_PATHS.has(path) && !policy.allowsHost(request.headers)) {
    answer(response, 421, { error: "misdirected request" });
    return;
  }
  switch (path) {
    case GRAPHQL_PATH:
      await (graphiql && wantsGraphiQL(request) ? graphiql.respond(request, response) : graphql(request, response));
      return;
    case "/demo":
    case "/demo/session":
    case "/demo/token":
    case "/demo/restart":
      await (demo ? demo.respond(request, response) : answer(response, 404, { error: "not found" }));
      return;
    case "/events":
      if (events) await events(request, response);
      else answer(response, 404, { error: "not found" });
      return;
    case "/health":
      answer(response, 200, { status: "ok" });
      return;
    case "/ready":
      answerReady(response, notReady());
      return;
    case "/":
      if (graphiql) response.setHeader("location", GRAPHQL_PATH);
      answer(response, graphiql ? 302 : 404, graphiql ? {} : { error: "not found" });
      return;
    default:
      answer(response, 404, { error: "not found" });
  }
}

/** Whoever offers another protocol, as some clients do with h2c, is served in this one. */
function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return /^websocket$/i.test(headers.upgrade ?? "");
}

/** Why an upgrade is refused: for the metrics, and for the client. */
interface UpgradeRefusal {
  readonly reason: "draining" | "host" | "origin" | "path";
  readonly status: string;
}

const DRAINING: UpgradeRefusal = { reason: "draining", status: "503 Service Unavailable" };

function refuseUpgrade(policy: RequestPolicy, request: IncomingMessage): UpgradeRefusal | undefined {
  if (!policy.allowsHost(request.headers)) return { reason: "host", status: "421 Misdirected Request" };
  if (pathOf(request) !== GRAPHQL_PATH) return { reason: "path", status: "404 Not Found" };
  return policy.allowsOrigin(request.headers) ? undefined : { reason: "origin", status: "403 Forbidden" };
}

/** Does not wait for the client's side of the end, which may never come. */
function refuse(socket: Duplex, { status, reason }: UpgradeRefusal, rejections: Counts): void {
  rejections.add(reason);
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
