/** The development API's HTTP side: every request passes the faults before and after it is processed. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { Ending, Faults, Reply } from "./faults.ts";
import type { ReceivedRequest } from "./requests.ts";

/** Listens once and closes once. */
export class ApiServer {
  readonly #server = createServer((request, response) => this.#accept(request, response));
  readonly #running = new Set<Promise<void>>();
  readonly #faults: Faults;
  readonly #process: (request: ReceivedRequest) => Reply;
  #closing = false;

  constructor(faults: Faults, process: (request: ReceivedRequest) => Reply) {
    this.#faults = faults;
    this.#process = process;
  }

  /** Answers with the address, without a slash at the end. */
  async listen(port: number, host: string): Promise<string> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The development API has no port.");
    return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
  }

  /** Resolves when no request is being processed and none can come. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = this.#server.listening ? once(this.#server, "close") : undefined;
    this.#server.close();
    this.#server.closeAllConnections();
    this.#faults.clear();
    await Promise.all([closed, ...this.#running]);
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    const running = this.#serve(request, response);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Fails where the client goes away in the middle of its request: then there is nobody to answer.
    const received = await receive(request).catch(() => undefined);
    if (received === undefined) return;
    this.#faults.requests.record(received);
    const fault = await this.#faults.meet(received, "received");
    if (this.#closing) return;
    if (fault !== undefined) return end(response, fault, {});
    const reply = this.#process(received);
    end(response, (await this.#faults.meet(received, "processed")) ?? { kind: "reply", reply }, reply);
  }
}

async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const { method = "", url = "", headers } = request;
  const key = headers["idempotency-key"];
  return {
    method,
    path: url,
    authorization: headers.authorization,
    idempotencyKey: Array.isArray(key) ? key[0] : key,
    body: await text(request),
  };
}

/** @param due what the API itself has to say, where it was asked. */
function end(response: ServerResponse, ending: Ending, due: Reply): void {
  if (response.destroyed) return;
  if (ending.kind === "destroy") {
    response.destroy();
    return;
  }
  const { status = 200, headers = {}, body } = replyOf(ending, due);
  const bytes = Buffer.from(typeof body === "object" ? JSON.stringify(body) : (body ?? ""));
  response.writeHead(status, {
    ...(body === undefined ? {} : { "content-type": "application/json; charset=utf-8" }),
    ...(status === 204 ? {} : { "content-length": bytes.length }),
    ...headers,
  });
  if (ending.kind !== "half") {
    response.end(bytes);
    return;
  }
  response.write(bytes.subarray(0, bytes.length / 2), () => {
    if (ending.after === "reset") response.destroy();
  });
}

function replyOf(ending: Exclude<Ending, { kind: "destroy" }>, due: Reply): Reply {
  if (ending.kind === "reply") return ending.reply;
  return ending.kind === "changed" ? ending.change(due) : due;
}
