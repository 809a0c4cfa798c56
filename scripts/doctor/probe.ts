/** Plain requests whose answers are seen as they are: nothing is repeated, followed, decoded or tolerated. */
import { Client, type Dispatcher } from "undici";
import type { Lack } from "../../src/upstream/adapter/adapter.ts";
import { textOf } from "../../src/upstream/body-text.ts";

/** What the gateway takes unless HTTP_API_MAX_RESPONSE says otherwise. */
export const MAX_ANSWER_BYTES = 5_000_000;

/** One request of the contract. */
export interface Endpoint {
  readonly method: "GET" | "PUT" | "POST";
  /** Below the base URL, `:name` where an id goes. */
  readonly template: string;
}

export interface Question {
  readonly endpoint: Endpoint;
  /** By the parameters' names; escaped here. */
  readonly ids?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** Undefined: no Authorization header. */
  readonly token?: string | undefined;
  readonly body?: object;
  readonly idempotencyKey?: string;
}

export interface Answer {
  readonly kind: "answered";
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** False where there are bytes that nobody can read. */
  readonly isExact?: boolean;
}

/** How a request ended, and after how many ms; `failed` is an adapter's own doing. */
export type Outcome = (
  | Answer
  | { readonly kind: "timed-out" | "too-large" }
  | { readonly kind: "unconnected" | "lost"; readonly code: string }
  | { readonly kind: "failed"; readonly reason: string }
) & { readonly ms: number };

export interface ProbeOptions {
  readonly url: string;
  /** Of one request, connecting and the whole answer included. */
  readonly timeoutMs: number;
}

/** Puts the contract's questions, to an API or to an adapter. */
export interface Prober extends AsyncDisposable {
  /** How many connections have been made so far. */
  readonly connections: number;
  /** What the API is said not to have. */
  readonly lacks: readonly Lack[];
  /** Never rejects. */
  send(question: Question): Promise<Outcome>;
}

/** One connection at a time, which is kept as long as the API keeps it. */
export class Probe implements Prober {
  readonly lacks = [];
  readonly #client: Client;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  /** Known by identity, since the codes of a connection that failed and of one that was lost may be the same. */
  readonly #connectErrors = new WeakSet<Error>();
  #connections = 0;

  constructor({ url, timeoutMs }: ProbeOptions) {
    const base = new URL(url);
    this.#prefix = base.pathname.replace(/\/+$/, "");
    this.#timeoutMs = timeoutMs;
    this.#client = new Client(base.origin, {
      maxResponseSize: MAX_ANSWER_BYTES,
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: timeoutMs,
      allowH2: false,
    });
    this.#client.on("connect", () => {
      this.#connections += 1;
    });
    this.#client.on("connectionError", (_origin, _targets, error) => this.#connectErrors.add(error));
  }

  get connections(): number {
    return this.#connections;
  }

  async send(question: Question): Promise<Outcome> {
    const startedAt = performance.now();
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const ended = await this.#exchange(question, signal).catch((error: unknown) =>
      signal.aborted ? ({ kind: "timed-out" } as const) : this.#failureOf(error),
    );
    return { ...ended, ms: performance.now() - startedAt };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.destroy();
  }

  async #exchange(question: Question, signal: AbortSignal): Promise<Answer> {
    const { statusCode, headers, body } = await this.#client.request({ ...this.#optionsOf(question), signal });
    const type = headers["content-type"];
    const text = textOf(Buffer.from(await body.arrayBuffer()), Array.isArray(type) ? type[0] : type);
    return { kind: "answered", status: statusCode, headers, ...text };
  }

  #failureOf(error: unknown) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "UND_ERR_CONNECT_TIMEOUT") return { kind: "timed-out" } as const;
    if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return { kind: "too-large" } as const;
    const isUnconnected = error instanceof Error && this.#connectErrors.has(error);
    return { kind: isUnconnected ? "unconnected" : "lost", code } as const;
  }

  #optionsOf({ endpoint, ids = {}, query, token, body, idempotencyKey }: Question): Dispatcher.RequestOptions {
    const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
    return {
      method: endpoint.method,
      path: this.#prefix + fillIn(endpoint.template, ids) + search,
      headers: {
        accept: "application/json",
        "accept-encoding": "identity",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    };
  }
}

/** As the verdicts name it. */
export function nameOf({ method, template }: Endpoint): string {
  return `${method} ${template}`;
}

function fillIn(template: string, ids: Readonly<Record<string, string>>): string {
  return template.replaceAll(/:(\w+)/g, (_parameter, name: string) => encodeURIComponent(ids[name] ?? ""));
}
