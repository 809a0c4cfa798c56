/** `POST /events`: the backend speaks, signed as in the Standard Webhooks specification. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { inTrace, onBehalfOf } from "../../call-origin.ts";
import { backendEvent, BACKEND_EVENT_TYPES, type BackendEvent, type BackendEvents } from "../../chat/backend-events.ts";
import type { Log } from "../../log.ts";
import { Counts } from "../../measures.ts";
import type { Tracing } from "../../tracing.ts";
import type { ClientOrigins } from "../client-origin.ts";

interface EventsEndpointOptions {
  /** Each `whsec_…`, or the base64 after that. An event is signed with one of them. */
  readonly secrets: readonly string[];
  readonly maxBytes: number;
  readonly events: BackendEvents;
  readonly statistics: EventsStatistics;
  readonly origins: ClientOrigins;
  readonly log: Log;
  /** Undefined: no request is a span. */
  readonly tracing?: Tracing | undefined;
}

/** What is counted of the requests. */
export class EventsStatistics {
  /** By the event's type, `unknown` where it could not be read, how requests were answered. */
  readonly received: ReadonlyMap<string, Counts>;

  constructor() {
    this.received = new Map([...BACKEND_EVENT_TYPES, UNKNOWN].map((type) => [type, new Counts()]));
  }
}

const UNKNOWN = "unknown";

/** By the status that is answered. */
const OUTCOMES: ReadonlyMap<number, string> = new Map([
  [202, "accepted"],
  [400, "malformed"],
  [401, "unsigned"],
  [405, "method"],
  [413, "too_large"],
  [503, "failed"],
]);

/** What is answered: 202 with nothing more, or why not. */
interface Answer {
  readonly status: number;
  /** Of the event, where it could be read. */
  readonly type?: string;
  readonly error?: string;
}

/** A request listener. Never rejects. */
export function createEventsEndpoint(options: EventsEndpointOptions) {
  const { secrets, maxBytes, events, statistics, origins, log, tracing } = options;
  const webhooks = secrets.map((secret) => new Webhook(secret));

  /** The backend may say which of its traces the event is a part of. */
  async function accept(request: IncomingMessage, event: BackendEvent): Promise<void> {
    const id = String(request.headers["webhook-id"]);
    const client = origins.of(request);
    const origin = { requestId: client.requestId ?? randomUUID(), client };
    const attributes = { "http.request.method": "POST", "url.path": "/events", "event.type": event.type };
    const span = tracing?.start("POST /events", { kind: "server", parent: client.traceparent, attributes });
    try {
      await onBehalfOf(span ? inTrace(origin, span.traceparent) : origin, () => events.accept(id, event));
      span?.end();
    } catch (error) {
      span?.end({}, "not published");
      throw error;
    }
  }

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    if (request.method !== "POST") return { status: 405, error: "Events are sent with POST." };
    const body = await readBody(request, maxBytes);
    if (body === undefined) return { status: 413, error: `An event has at most ${maxBytes} bytes.` };
    if (!webhooks.some((webhook) => isSigned(webhook, request, body)))
      return { status: 401, error: "The signature or its time is wrong." };
    const parsed = parse(body);
    if ("error" in parsed) return { status: 400, error: parsed.error };
    const { event } = parsed;
    const { type } = event;
    try {
      await accept(request, event);
      return { status: 202, type };
    } catch (error) {
      log.error({ err: error }, "an event of the backend could not be published");
      // The backend tries again.
      return { status: 503, type, error: "The event could not be published. Send it again." };
    }
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let answer: Answer;
    try {
      answer = await answerTo(request);
    } catch (error) {
      if (request.destroyed && !request.complete) {
        log.debug({ err: error }, "a request to /events broke off");
        return;
      }
      log.error({ err: error }, "an event of the backend could not be read");
      answer = { status: 503, error: "The event could not be read. Send it again." };
    }
    statistics.received.get(answer.type ?? UNKNOWN)?.add(OUTCOMES.get(answer.status) ?? "failed");
    if (answer.status === 405) response.setHeader("allow", "POST");
    // What is left of a body that is too large is not read.
    if (answer.status === 413) response.setHeader("connection", "close");
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(answer.error === undefined ? "" : JSON.stringify({ error: answer.error }));
  };
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) continue;
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function isSigned(webhook: Webhook, { headers }: IncomingMessage, body: string): boolean {
  try {
    // The library compares in constant time and refuses what is more than five minutes off.
    const signed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    webhook.verify(body, Object.fromEntries(signed.map((name) => [name, String(headers[name] ?? "")])), {
      jsonParse: false,
    });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

function parse(body: string): { readonly event: BackendEvent } | { readonly error: string } {
  let json: unknown;
  try {
    // A byte order mark belongs to what is signed, and not to the JSON.
    json = JSON.parse(body.replace(/^\uFEFF/, ""));
  } catch {
    return { error: "The body is not JSON." };
  }
  const parsed = backendEvent.safeParse(json);
  if (parsed.success) return { event: parsed.data };
  const wrong = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
  return { error: wrong.join("; ") };
}
