/** Requests to the GraphQL endpoint that need not be right, and what comes back; subscriptions over SSE among them. */
import type { GraphQLFormattedError } from "graphql";

export interface HttpResult {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Readonly<Record<string, unknown>> | null | undefined;
  readonly errors: readonly GraphQLFormattedError[] | undefined;
}

/** An operation as it stands in a request's body. */
export interface HttpOperation {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly operationName?: string;
}

/** POSTs an operation, with a token where one is given. */
export async function postOperation(
  url: string,
  operation: HttpOperation,
  token?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResult> {
  const accept = { accept: "application/json", ...headers };
  return fetchResult(url, { method: "POST", headers: jsonHeaders(token, accept), body: JSON.stringify(operation) });
}

/** Any request at all, whose answer has to be a GraphQL result. */
export async function fetchResult(url: string, request: RequestInit): Promise<HttpResult> {
  const response = await fetch(url, request);
  const text = await response.text();
  let body: Pick<HttpResult, "data" | "errors">;
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    throw new Error(`${response.status} with something that is no result: ${text.slice(0, 200)}`);
  }
  return { status: response.status, headers: response.headers, data: body.data, errors: body.errors };
}

/** The codes of errors, in their order. */
export function codesOf(errors: readonly GraphQLFormattedError[] | undefined): unknown[] {
  return (errors ?? []).map(({ extensions }) => extensions?.["code"]);
}

export interface StreamResult<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly GraphQLFormattedError[];
}

export interface EventStream<Data> extends AsyncDisposable {
  readonly response: Response;
  /** The next result. Rejects where the stream ends instead. */
  next(): Promise<StreamResult<Data>>;
  /** The `id` of the last result that had one. */
  readonly lastEventId: string | undefined;
  /** Resolves where the stream says that it is complete, and ends; rejects on anything else. */
  completed(): Promise<void>;
  /** Resolves where the stream ends without a word, so that clients come back; rejects on anything else. */
  ended(): Promise<void>;
  /** Leaves without a word, as a page does that is closed. */
  abort(): void;
}

/** Opens a subscription over SSE, one request a subscription. Resolves with the response's head. */
export async function openEventStream<Data>(
  url: string,
  operation: HttpOperation,
  token?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventStream<Data>> {
  const aborter = new AbortController();
  const response = await fetch(url, {
    method: "POST",
    headers: jsonHeaders(token, { accept: "text/event-stream", ...headers }),
    body: JSON.stringify(operation),
    signal: aborter.signal,
  });
  const events = eventsOf(response);
  let lastEventId: string | undefined;
  return {
    response,
    get lastEventId() {
      return lastEventId;
    },
    async next() {
      const { value } = await events.next();
      if (value?.event !== "next") throw new Error(`expected a result, got ${JSON.stringify(value)}`);
      lastEventId = value.id ?? lastEventId;
      return JSON.parse(value.data) as StreamResult<Data>;
    },
    async completed() {
      const { value } = await events.next();
      if (value?.event !== "complete") throw new Error(`expected the end, got ${JSON.stringify(value)}`);
      const after = await events.next();
      if (after.done !== true) throw new Error(`after the end came ${JSON.stringify(after.value)}`);
    },
    async ended() {
      const { done, value } = await events.next();
      if (done !== true) throw new Error(`expected the end, got ${JSON.stringify(value)}`);
    },
    abort: () => aborter.abort(),
    async [Symbol.asyncDispose]() {
      aborter.abort();
    },
  };
}

function jsonHeaders(token: string | undefined, more: Readonly<Record<string, string>>): Record<string, string> {
  return {
    "content-type": "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...more,
  };
}

interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

async function* eventsOf(response: Response): AsyncGenerator<ServerSentEvent, undefined> {
  let buffered = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    buffered += chunk;
    const blocks = buffered.split("\n\n");
    buffered = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string): string | undefined => new RegExp(`^${name}: ?([^\\n]*)`, "m").exec(block)?.[1];
      // Comments alone are there to keep proxies awake.
      const event = field("event");
      if (event !== undefined) yield { event, data: field("data") ?? "", id: field("id") };
    }
  }
  return undefined;
}
