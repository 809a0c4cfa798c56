/** An HTTP server that answers what a test tells it to, and remembers what it was asked. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";

export interface RecordedRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers one request, whose body has been read; or does not. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => void | Promise<void>;

export interface ScriptedServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Every request so far, before it is answered. */
  readonly requests: readonly RecordedRequest[];
  /** Connections accepted so far. */
  readonly connections: () => number;
  /** Resolves when the connection that is accepted last so far is gone. */
  readonly disconnected: () => Promise<void>;
}

/** Starts a server on a free port. Disposing it cuts every connection. */
export async function startScriptedServer(answer: Answer): Promise<ScriptedServer> {
  const requests: RecordedRequest[] = [];
  const sockets: Socket[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      requests.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      await answer(response, request);
    })().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  // No connection ends because a test takes its time.
  server.keepAliveTimeout = 600_000;
  server.on("connection", (socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    connections: () => sockets.length,
    async disconnected() {
      const last = sockets.at(-1);
      if (last === undefined) throw new Error("nobody has connected");
      if (!last.closed) await once(last, "close");
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** An answer with a JSON body. */
export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return raw(status, JSON.stringify(body), { "content-type": "application/json", ...headers });
}

/** An answer with any body. */
export function raw(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => {
    response.writeHead(status, headers).end(body);
  };
}

/** No answer, ever. */
export const silence: Answer = () => undefined;

/** The connection is cut instead of an answer. */
export const hangUp: Answer = (response) => {
  response.socket?.destroy();
};

/** Headers and the beginning of a body; then `then`, once that has left. */
export function partly(status: number, then: (response: ServerResponse) => void = () => undefined): Answer {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", "content-length": "1000" });
    response.write('{"chats":[', () => then(response));
  };
}

/** The first request gets the first answer, and so on; the last one answers all that follow. */
export function inTurn(...answers: readonly [Answer, ...Answer[]]): Answer {
  let next = 0;
  return (response, request) => answers[Math.min(next++, answers.length - 1)]?.(response, request);
}
