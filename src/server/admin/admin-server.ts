/** The listener for operators: health, readiness, metrics, and what needs ADMIN_TOKEN. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Log } from "../../log.ts";
import { answer, answerReady } from "../http/answer.ts";
import { listen } from "../http/listen.ts";
import { pathOf, useOriginForm } from "../http/request-target.ts";
import { setResponseHeaders } from "../http/response-headers.ts";
import type { AdminToken } from "./admin-token.ts";
import type { Metrics } from "./metrics.ts";
import type { Status } from "./status.ts";
import { respondWithPage, wantsPage } from "./status-page.ts";
import type { Users } from "./users.ts";

export interface AdminServerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly host: string;
  readonly token: AdminToken;
  readonly metrics: Metrics;
  readonly status: Status;
  readonly users: Users;
  /** The parts for which the gateway is not ready. */
  readonly notReady: () => readonly string[];
  readonly log: Log;
}

export interface AdminServer extends AsyncDisposable {
  /** Scheme, host and port. */
  readonly url: string;
}

/** Listens. Rejects where the port is taken or the address is not this machine's. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { port, host, log } = options;
  const server = createServer((request, response) => {
    respond(options, request, response).catch((error: unknown) => {
      log.error({ err: error }, "a request to the admin listener could not be answered");
      if (response.headersSent) response.destroy();
      else answer(response, 500, { error: "internal error" });
    });
  });
  const url = await listen(server, port, host);
  return {
    url,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(options: AdminServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { metrics, notReady } = options;
  setResponseHeaders(response);
  useOriginForm(request);
  const path = pathOf(request);
  switch (path) {
    case "/health":
      if (isRead(request, response)) answer(response, 200, { status: "ok" });
      return;
    case "/ready":
      if (isRead(request, response)) answerReady(response, notReady());
      return;
    case "/metrics":
      if (isRead(request, response)) await answerMetrics(metrics, request, response);
      return;
    default:
      if (options.token.admits(request, response)) await respondToOperator(options, path, request, response);
  }
}

async function respondToOperator(
  { status, users }: AdminServerOptions,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (path === "/status") {
    if (!isRead(request, response)) return;
    response.setHeader("vary", "accept");
    if (wantsPage(request)) respondWithPage(response);
    else answer(response, 200, await status.read());
    return;
  }
  const userId = userOf(path);
  if (userId === undefined) {
    answer(response, 404, { error: "not found" });
    return;
  }
  if (request.method === "DELETE") {
    const { isPublished, ...report } = await users.signOut(userId);
    // The other instances end the sessions when Redis is back.
    answer(response, isPublished ? 200 : 202, { ...report, isPublished });
    return;
  }
  if (isRead(request, response, "GET, HEAD, DELETE")) answer(response, 200, await users.find(userId));
}

/** Undefined where the path is no user's. */
function userOf(path: string): string | undefined {
  const [, encoded] = /^\/users\/([^/]+)$/.exec(path) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

async function answerMetrics(metrics: Metrics, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { contentType, text } = await metrics.text(request.headers.accept);
  response.writeHead(200, { "content-type": contentType }).end(text);
}

/** Anything but a GET or HEAD is answered 405. */
function isRead({ method }: IncomingMessage, response: ServerResponse, allowed = "GET, HEAD"): boolean {
  if (method === "GET" || method === "HEAD") return true;
  response.setHeader("allow", allowed);
  answer(response, 405, { error: "method not allowed" });
  return false;
}
