/** The one port: GraphQL, GraphiQL, health, and the upgrade to WebSocket. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Config } from "../../config/config.ts";
import type { Log } from "../../log.ts";
import { wantsGraphiQL, type GraphiQL } from "../graphiql/graphiql.ts";
import { byQuality } from "./accept.ts";
import type { RequestPolicy } from "./request-policy.ts";
import { setResponseHeaders } from "./response-headers.ts";
import type { WebSockets } from "../websocket/websocket.ts";

const GRAPHQL_PATH = "/graphql";

/** Health checks and backends use a name inside the network. The first two tell nothing, the third takes what is signed alone. */
const ANY_HOST_PATHS: ReadonlySet<string> = new Set(["/health", "/ready", "/events"]);

interface HttpServerOptions {
  readonly config: Pick<Config, "HOST" | "KEEP_ALIVE_TIMEOUT" | "PORT">;
  readonly policy: RequestPolicy;
  readonly graphql: (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;
  /** Undefined: the backend has no secret to sign events with. */
  readonly events: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  /** Undefined: browsers get no page. */
  readonly graphiql: GraphiQL | undefined;
  readonly webSockets: WebSockets;
  /** Whether this instance reaches the others: one that does not still serves who is connected, but takes nobody in if it can be helped. */
  readonly isConnected: () => boolean;
  readonly log: Log;
}

export interface HttpServer {
  readonly url: string;
  /** Says that it is not ready, and takes no further upgrade; requests go on, so that a load balancer can look elsewhere first. */
  drain(): void;
  /** Takes no further connection; what is under way goes on. */
  stop(): void;
  /** Resolves when no connection is left, those of SSE streams and WebSockets included. */
  closed(): Promise<void>;
  /** Drops whoever is left, at once. */
  terminate(): void;
}

/** Listens. Rejects where the port is taken or the address is not this machine's. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { config, webSockets, log } = options;
  let isDraining = false;
  let isStopping = false;
  const underWay = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  /** Connections on which nothing has been asked yet. */
  const silent = new Set<Socket>();
  const serverOptions = {
    shouldUpgradeCallback: asksForWebSocket,
    keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT,
  };
  const server = createServer(serverOptions, (request, response) => {
    silent.delete(request.socket);
    underWay.add(response);
    response.once("close", () => {
      underWay.delete(response);
      // Begun before the end did, it has promised to keep its connection.
      if (isStopping) request.socket.destroySoon();
    });
    respond(options, isDraining, request, response).catch((error: unknown) => {
      log.error({ err: error }, "a request could not be answered");
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    silent.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
    });
  });
  server.on("upgrade", (request, socket, head) => {
    silent.delete(request.socket);
    socket.on("error", (error) => log.debug({ err: error }, "an upgrading socket broke"));
    const refusal = isDraining ? "503 Service Unavailable" : refuseUpgrade(options.policy, request);
    if (refusal === undefined) webSockets.upgrade(request, socket, head);
    else refuse(socket, refusal);
  });
  const url = await listen(server, config);
  return {
    url,
    drain() {
      isDraining = true;
      for (const response of underWay) if (!response.headersSent) response.setHeader("connection", "close");
    },
    stop() {
      isStopping = true;
      // Closes idle connections as well, but for those on which nothing was ever asked: browsers open some in advance.
      server.close();
      for (const socket of silent) socket.destroy();
    },
    async closed() {
      await Promise.all([...sockets].map((socket) => new Promise<void>((resolve) => socket.once("close", resolve))));
    },
    terminate() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function respond(
  { graphql, graphiql, events, isConnected, policy, webSockets }: HttpServerOptions,
  isDraining: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  setResponseHeaders(response);
  // A connection kept alive would hold up the end of a server that is stopping.
  if (isDraining) response.setHeader("connection", "close");
  const { accept, host } = request.headers;
  // What answers looks at the order alone.
  if (accept !== undefined) request.headers.accept = byQuality(accept);
  if (host !== undefined && !URL.canParse(`http://${host}`)) {
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
    case "/events":
      if (events) await events(request, response);
      else answer(response, 404, { error: "not found" });
      return;
    case "/health":
      answer(response, 200, { status: "ok" });
      return;
    case "/ready":
      answerReady(
        response,
        Object.entries({ draining: isDraining, redis: !isConnected(), full: webSockets.isFull })
          .filter(([, isNotReady]) => isNotReady)
          .map(([part]) => part),
      );
      return;
    case "/":
      if (graphiql) response.setHeader("location", GRAPHQL_PATH);
      answer(response, graphiql ? 302 : 404, graphiql ? {} : { error: "not found" });
      return;
    default:
      answer(response, 404, { error: "not found" });
  }
}

/** @param notReady the parts for which the gateway is not ready. */
function answerReady(response: ServerResponse, notReady: readonly string[]): void {
  if (notReady.length === 0) answer(response, 200, { status: "ok" });
  else answer(response, 503, { status: "unavailable", notReady });
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** Whoever offers another protocol, as some clients do with h2c, is served in this one. */
function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return /^websocket$/i.test(headers.upgrade ?? "");
}

function refuseUpgrade(policy: RequestPolicy, request: IncomingMessage): string | undefined {
  if (!policy.allowsHost(request.headers)) return "421 Misdirected Request";
  if (pathOf(request) !== GRAPHQL_PATH) return "404 Not Found";
  return policy.allowsOrigin(request.headers) ? undefined : "403 Forbidden";
}

/** Does not wait for the client's side of the end, which may never come. */
function refuse(socket: Duplex, status: string): void {
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

async function listen(server: Server, { HOST, PORT }: Pick<Config, "HOST" | "PORT">): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(PORT, HOST, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is one
  const { port } = server.address() as AddressInfo;
  const host = HOST === "0.0.0.0" || HOST === "::" ? "localhost" : HOST;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}/graphql`;
}
