/** Queries and mutations over HTTP, subscriptions over SSE: Yoga speaks HTTP, the pipeline is the one of WebSocket. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { OperationTypeNode, type ExecutionResult, type GraphQLError } from "graphql";
import { createYoga, type FetchAPI, type Plugin, type YogaServerInstance } from "graphql-yoga";
import type { Sessions } from "../../chat/sessions.ts";
import type { Config } from "../../config/config.ts";
import type { Operation } from "../../graphql/context.ts";
import { documentError, rateLimited, toClientError } from "../../graphql/errors.ts";
import type { Operations } from "../../graphql/operations.ts";
import type { Results } from "../../graphql/result-stream.ts";
import type { Log } from "../../log.ts";
import { AnswersAtOnce } from "./answers-at-once.ts";
import { HASH_PARAMETERS, useParameters } from "./graphql-parameters.ts";
import { ReadingTurns } from "./reading-turns.ts";
import { BARE_REFUSALS, notAnOperation, withHttp } from "./refusals.ts";
import type { EventStreams } from "./event-streams.ts";
import { EVENT_STREAM_HEADERS, eventStream } from "./event-stream.ts";
import type { RequestPolicy } from "./request-policy.ts";
import { RETRY_AFTER_MS, type ConnectionLimits, type Refusal } from "../connection-limits.ts";
import { HttpCaller } from "./http-caller.ts";
import type { ClientOrigins } from "../client-origin.ts";

interface GraphQLHttpOptions {
  readonly config: Pick<Config, "CORS_ALLOWED_HEADERS" | "MAX_PAYLOAD_SIZE">;
  readonly policy: RequestPolicy;
  readonly origins: ClientOrigins;
  readonly limits: ConnectionLimits;
  readonly streams: EventStreams;
  readonly sessions: Sessions;
  readonly operations: Operations;
  readonly log: Log;
}

/** How long a browser may remember a preflight's answer. */
const CORS_MAX_AGE_SECONDS = 86_400;

type Result = ExecutionResult | AsyncIterable<ExecutionResult>;

/** What Node.js has of a request. */
interface NodeContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** A request listener for `/graphql`. */
export function createGraphQLHttp(options: GraphQLHttpOptions): YogaServerInstance<NodeContext, object> {
  const { config, policy, operations, log } = options;
  const cors = {
    credentials: false,
    methods: ["GET", "POST"],
    allowedHeaders: [...config.CORS_ALLOWED_HEADERS],
    maxAge: CORS_MAX_AGE_SECONDS,
  };
  return createYoga<NodeContext>({
    schema: operations.schema,
    graphqlEndpoint: "/graphql",
    graphiql: false,
    landingPage: false,
    multipart: false,
    logging: false,
    maxRequestBodySize: config.MAX_PAYLOAD_SIZE,
    parserAndValidationCache: false,
    extraParamNames: [...HASH_PARAMETERS],
    // Without `origin` Yoga allows the one that asks; with `false` it says nothing, which browsers take for a refusal.
    cors: ({ headers }) =>
      policy.allowsOrigin({
        origin: headers.get("origin") ?? undefined,
        host: headers.get("host") ?? undefined,
      }) && cors,
    maskedErrors: { maskError: (error) => mask(error, log) },
    plugins: [useParameters(), usePipeline(options), useEventStreams(), useSpokenRefusals()],
  });
}

/** What the pipeline made passes unchanged; the rest is Yoga's own refusals, and defects. */
function mask(error: unknown, log: Log): GraphQLError {
  // All JSON that Yoga parses is the client's.
  if (error instanceof SyntaxError) return notAnOperation("The request is not JSON where it has to be.");
  return toClientError(error, { requestId: crypto.randomUUID(), log });
}

/** Yoga answers some requests with a status alone. */
function useSpokenRefusals(): Plugin {
  return {
    onResponse(payload) {
      const { response } = payload;
      const message = BARE_REFUSALS.get(response.status);
      if (message === undefined || response.body) return;
      const { status, headers } = response;
      headers.set("content-type", "application/json; charset=utf-8");
      const body = JSON.stringify({ errors: [documentError("BAD_USER_INPUT", message)] });
      payload.setResponse(new payload.fetchAPI.Response(body, { status, headers }));
    },
  };
}

/** Puts the pipeline in the place of Yoga's own parsing, validation and execution. */
function usePipeline({
  origins,
  limits,
  streams,
  sessions,
  operations,
  log,
}: GraphQLHttpOptions): Plugin<object, NodeContext> {
  const answers = new AnswersAtOnce();
  const readings = new ReadingTurns();
  return {
    onParams({ setParamsHandler }) {
      setParamsHandler(async ({ request, params, context: { req, res } }): Promise<Result> => {
        // The one parameter whose type Yoga does not look at.
        if (typeof (params.operationName ?? "") !== "string") {
          return { errors: [notAnOperation('"operationName" is a string.')] };
        }
        const caller = new HttpCaller(sessions, request, origins.of(req), log);
        const operationRequest = { ...params, query: params.query ?? "" };
        // Before anything is validated: what that costs is for callers that are known.
        const unknown = await operations.refuseUnknown(caller, operationRequest);
        if (unknown) {
          operations.statistics.count("unknown", unknown.extensions["code"]);
          return { data: null, errors: [unknown] };
        }
        if (operations.isNew(operationRequest)) await readings.begin(keyOf(caller));
        const begunAt = performance.now();
        const operation = operations.prepare(operationRequest, caller);
        readings.spend(performance.now() - begunAt);
        const retryAfterMs = await operations.admit(caller, "type" in operation ? operation.cost : 1);
        if (retryAfterMs > 0) return { errors: [asTooManyRequests(rateLimited(retryAfterMs), retryAfterMs)] };
        if (!("type" in operation)) return { errors: operation.map(asRefusal) };
        const refusal = refuse(operation, request);
        if (refusal) {
          operations.statistics.count(operation.type, refusal.extensions["code"]);
          return { errors: [refusal] };
        }
        const context = operations.context(operation, caller);
        if (operation.type !== OperationTypeNode.SUBSCRIPTION) {
          const admission = await answers.admit(keyOf(caller), res);
          if (admission === "admitted") return withStatus(await operations.execute(context));
          // Nobody reads what is answered to one that is gone.
          if (admission === "full") operations.statistics.count(operation.type, "RATE_LIMITED");
          return { errors: [asTooManyRequests(rateLimited(RETRY_AFTER_MS), RETRY_AFTER_MS)] };
        }
        const noPlace = await caller.connect(limits);
        if (noPlace !== undefined) {
          caller.release();
          return { errors: [asUnavailable(noPlace)] };
        }
        const result = await operations.subscribe(context);
        if (!(Symbol.asyncIterator in result)) return withStatus(result);
        caller.follow(result, streams);
        await endWith(request.signal, result);
        return result;
      });
    },
  };
}

/** Whose answers are counted together. */
function keyOf({ userId, client }: HttpCaller): string {
  return userId === undefined ? `address ${client.address ?? ""}` : `user ${userId}`;
}

/** Writes the results of subscriptions, which Yoga would end with `complete` for a restart as well. */
function useEventStreams(): Plugin {
  return {
    onResultProcess(payload) {
      const { result } = payload;
      if (!isResults(result)) return;
      const respond = (_result: unknown, { Response }: FetchAPI): Response =>
        new Response(eventStream(result), { headers: EVENT_STREAM_HEADERS });
      payload.setResultProcessor(respond, EVENT_STREAM_HEADERS["content-type"]);
    },
  };
}

function isResults(result: unknown): result is Results {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result;
}

/** A client may be gone before anybody reads the stream that was opened for it: nothing would ever end that one. */
async function endWith(signal: AbortSignal, results: AsyncGenerator<ExecutionResult>): Promise<void> {
  if (signal.aborted) await results.return(undefined);
  else signal.addEventListener("abort", () => void results.return(undefined), { once: true });
}

function asTooManyRequests(error: GraphQLError, retryAfterMs: number): GraphQLError {
  return withHttp(error, { status: 429, headers: retryAfter(retryAfterMs) });
}

/** A stream for which there is no place. */
function asUnavailable(reason: Refusal): GraphQLError {
  const error = rateLimited(RETRY_AFTER_MS, reason);
  return withHttp(error, { status: 503, headers: retryAfter(RETRY_AFTER_MS) });
}

function retryAfter(ms: number): Readonly<Record<string, string>> {
  return { "Retry-After": String(Math.ceil(ms / 1000)) };
}

/** A document that was not read, since its caller's allowance was used up, or one that is wrong. */
function asRefusal(error: GraphQLError): GraphQLError {
  const { retryAfterMs } = error.extensions;
  return typeof retryAfterMs === "number" ? asTooManyRequests(error, retryAfterMs) : asBadRequest(error);
}

/** A document that never became an operation: 400, but 200 for clients that ask for the older media type. */
function asBadRequest(error: GraphQLError): GraphQLError {
  return withHttp(error, { status: 400, spec: true });
}

/**
 * A result without data is of an operation that was not executed: its variables could not be coerced, say. A result whose data is null was
 * executed.
 */
function withStatus(result: ExecutionResult): ExecutionResult {
  if (result.data !== undefined || !result.errors) return result;
  return { ...result, errors: result.errors.map((error) => (isDefect(error) ? error : asBadRequest(error))) };
}

function isDefect(error: GraphQLError): boolean {
  return error.extensions["code"] === "INTERNAL_SERVER_ERROR";
}

/** Looked at before anything is opened: what nobody reads nobody would end. */
function refuse({ type }: Operation, { method, headers }: Request): GraphQLError | undefined {
  if (type === OperationTypeNode.MUTATION && method === "GET") {
    return withHttp(documentError("BAD_USER_INPUT", "A mutation is sent with POST."), {
      status: 405,
      headers: { Allow: "POST" },
    });
  }
  const accepted = (headers.get("accept") ?? "")
    .split(",")
    .map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
  const acceptsStream = accepted.includes("text/event-stream");
  if (type !== OperationTypeNode.SUBSCRIPTION || acceptsStream) return undefined;
  const message = "A subscription over HTTP needs `Accept: text/event-stream`.";
  return withHttp(documentError("BAD_USER_INPUT", message), { status: 406 });
}
