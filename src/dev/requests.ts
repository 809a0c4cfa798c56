/** The requests that the development API has received, and how a test aims at some of them. */
import { EventEmitter, once } from "node:events";

export interface ReceivedRequest {
  readonly method: string;
  /** As it was sent, the query included. */
  readonly path: string;
  /** The header of that name, and so are the next. */
  readonly authorization: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: string;
}

/** Which requests are meant: those that fit everything that is given. */
export interface Match {
  readonly method?: string;
  /** A text is the whole path without the query; an expression is tested on the path with the query. */
  readonly path?: string | RegExp;
  /** The bearer token. */
  readonly token?: string;
}

/** Whether `request` fits everything that the match gives. */
export function matches(request: ReceivedRequest, { method, path, token }: Match): boolean {
  if (method !== undefined && request.method !== method) return false;
  if (token !== undefined && request.authorization !== `Bearer ${token}`) return false;
  if (path === undefined) return true;
  return typeof path === "string" ? request.path.split("?")[0] === path : request.path.search(path) !== -1;
}

/** A process that runs for days keeps the newest requests alone. */
const KEPT = 10_000;

/** A record of the newest 10,000 requests, in the order of their arrival. Those that a fault answers are in it too. */
export class RequestLog {
  readonly #requests: ReceivedRequest[] = [];
  readonly #events = new EventEmitter().setMaxListeners(0);

  filter(match: Match = {}): readonly ReceivedRequest[] {
    return this.#requests.filter((request) => matches(request, match));
  }

  count(match: Match = {}): number {
    return this.filter(match).length;
  }

  /** Resolves as soon as `count` such requests have been received, those before the call included. */
  async arrived(count: number, match: Match = {}): Promise<void> {
    while (this.count(match) < count) await once(this.#events, "request");
  }

  clear(): void {
    this.#requests.length = 0;
  }

  /** For the API's own server. */
  record(request: ReceivedRequest): void {
    this.#requests.push(request);
    if (this.#requests.length > KEPT) this.#requests.shift();
    this.#events.emit("request");
  }
}
