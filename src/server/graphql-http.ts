/** Queries and mutations over HTTP, subscriptions over SSE: Yoga speaks HTTP, the pipeline is the one of WebSocket. */
import { GraphQLError, OperationTypeNode, type ExecutionResult } from "graphql";
import { createYoga, type Plugin, type YogaServerInstance } from "graphql-yoga";
import type { Session } from "../chat/session.ts";
import type { Sessions } from "../chat/sessions.ts";
import type { Config } from "../config.ts";
import { GatewayError } from "../errors.ts";
import type { Caller } from "../graphql/context.ts";
import { documentError, toClientError } from "../graphql/errors.ts";
import type { Operations } from "../graphql/operations.ts";
import type { Log } from "../log.ts";
import { isAllowedOrigin } from "./origin.ts";
import { bearerToken } from "./token.ts";

interface GraphQLHttpOptions {
  readonly config: Pick<Config, "CORS_ORIGIN" | "MAX_PAYLOAD_SIZE">;
  readonly sessions: Sessions;
  readonly operations: Operations;
  readonly log: Log;
}

type Result = ExecutionResult | AsyncIterable<ExecutionResult>;

/** A request listener for `/graphql`. */
export function createGraphQLHttp(options: GraphQLHttpOptions): YogaServerInstance<object, object> {
  const { config, operations, log } = options;
  return createYoga({
    schema: operations.schema,
    graphqlEndpoint: "/graphql",
    graphiql: false,
    landingPage: false,
    multipart: false,
    logging: false,
    maxRequestBodySize: config.MAX_PAYLOAD_SIZE,
    parserAndValidationCache: false,
    cors: (request) => ({
      origin: allowedOrigins(config.CORS_ORIGIN, request),
      credentials: false,
      methods: ["GET", "POST"],
      allowedHeaders: ["authorization", "content-type"],
      maxAge: 86_400,
    }),
    // What the pipeline made passes unchanged; the rest is Yoga's own refusals, and defects.
    maskedErrors: { maskError: (error) => toClientError(error, { requestId: crypto.randomUUID(), log }) },
    plugins: [usePipeline(options)],
  });
}

function allowedOrigins(allowed: Config["CORS_ORIGIN"], request: Request): string[] {
  const origin = request.headers.get("origin");
  const host = request.headers.get("host") ?? undefined;
  if (origin !== null && isAllowedOrigin(allowed, origin, host)) return [origin];
  // For Yoga an empty list allows everybody; `null` is what it sends to whom nothing is allowed.
  return ["null"];
}

/** Puts the pipeline in the place of Yoga's own parsing, validation and execution. */
function usePipeline({ sessions, operations }: GraphQLHttpOptions): Plugin {
  return {
    onParams({ setParamsHandler }) {
      setParamsHandler(async ({ request, params }): Promise<Result> => {
        const operation = operations.prepare({ ...params, query: params.query ?? "" });
        if (!("type" in operation)) return { errors: operation.map(asBadRequest) };
        if (operation.type === OperationTypeNode.MUTATION && request.method === "GET")
          return { errors: [mutationByGet()] };
        const context = operations.context(operation, httpCaller(sessions, request));
        if (operation.type !== OperationTypeNode.SUBSCRIPTION) return operations.execute(context);
        const result = await operations.subscribe(context);
        if (!(Symbol.asyncIterator in result)) return result;
        await endWith(request.signal, result);
        return withFinalError(result);
      });
    },
  };
}

/** A client may be gone before anybody reads the stream that was opened for it: nothing would ever end that one. */
async function endWith(signal: AbortSignal, results: AsyncGenerator<ExecutionResult>): Promise<void> {
  if (signal.aborted) await results.return(undefined);
  else signal.addEventListener("abort", () => void results.return(undefined), { once: true });
}

/** Who stands behind one HTTP request. Only a subscription over SSE opens a session, which ends with its stream. */
function httpCaller(sessions: Sessions, request: Request): Caller {
  const token = bearerToken(request.headers.get("authorization"));
  let opened: Session | undefined;
  let released = false;
  return {
    identity: () => sessions.identify(token),
    async session() {
      opened ??= await sessions.open(token, () => !released && !request.signal.aborted);
      if (!opened) throw new GatewayError("UNAUTHENTICATED");
      return opened;
    },
    release() {
      released = true;
      if (opened) sessions.close(opened);
    },
  };
}

/**
 * SSE has no message for errors: the last result carries the one that ended the stream. No async generator: its `return` would
 * wait for the `next` under way, and a client that leaves would be noticed at the next event only.
 */
function withFinalError(results: AsyncGenerator<ExecutionResult, void>): AsyncIterableIterator<ExecutionResult, void> {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () =>
      results.next().catch((error: unknown) => {
        if (!(error instanceof GraphQLError)) throw error;
        return { done: false, value: { errors: [error] } };
      }),
    return: () => results.return(),
  };
}

/** A request that never became an operation: 400, but 200 for clients that ask for the older media type. */
function asBadRequest(error: GraphQLError): GraphQLError {
  return withHttp(error, { status: 400, spec: true });
}

function mutationByGet(): GraphQLError {
  const error = documentError("BAD_USER_INPUT", "A mutation is sent with POST.");
  return withHttp(error, { status: 405, headers: { Allow: "POST" } });
}

function withHttp(error: GraphQLError, http: object): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    extensions: { ...error.extensions, http },
  });
}
