/** From whatever was thrown to what the client reads. The one place where it happens, and where it is logged. */
import { GraphQLError, Kind, type ASTNode, type GraphQLFormattedError } from "graphql";
import { ERROR_CATALOGUE, GatewayError, type ErrorCode } from "../errors.ts";
import type { Log } from "../log.ts";

/** What an error needs to know of its operation. */
export interface ErrorContext {
  readonly requestId: string;
  readonly log: Log;
}

/**
 * The error as the client reads it, with a code of the catalogue. Internal failures are replaced by the catalogue's sentence and
 * logged under the request id that the client sees.
 */
export function toClientError(error: unknown, context: ErrorContext): GraphQLError {
  if (isClientError(error)) return error;
  const thrown = error instanceof GraphQLError ? error.originalError : error;
  if (error instanceof GraphQLError && isOfRequest(error)) return requestError(error);
  const known =
    thrown instanceof GatewayError ? thrown : new GatewayError("INTERNAL_SERVER_ERROR", { cause: thrown ?? error });
  const { logged } = ERROR_CATALOGUE[known.code];
  if (logged) report(known, context);
  return clientError(known.code, known.message, error instanceof GraphQLError ? error : undefined, {
    ...(known.argument === undefined ? {} : { argument: known.argument }),
    ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
    ...(logged ? { requestId: context.requestId } : {}),
  });
}

/** As {@link toClientError}, for the errors of one result. */
export function toClientErrors(errors: readonly unknown[], context: ErrorContext): GraphQLError[] {
  return errors.map((error) => toClientError(error, context));
}

/** An error of the catalogue that is about the document itself, or one of its variables. */
export function documentError(code: ErrorCode, message: string, at?: GraphQLError, argument?: string): GraphQLError {
  return clientError(code, message, at, argument === undefined ? {} : { argument });
}

/** The error of which only this is left: where it is in its document without the document. */
export function formattedError({ message, locations, extensions = {} }: GraphQLFormattedError): GraphQLError {
  const error = new GraphQLError(message, { extensions });
  return locations ? Object.assign(error, { locations }) : error;
}

function isClientError(error: unknown): error is GraphQLError {
  return (
    error instanceof GraphQLError &&
    !error.originalError &&
    Object.hasOwn(ERROR_CATALOGUE, String(error.extensions["code"]))
  );
}

function clientError(
  code: ErrorCode,
  message: string,
  at: GraphQLError | undefined,
  extensions: Readonly<Record<string, unknown>>,
): GraphQLError {
  const error = new GraphQLError(shortened(message), { path: at?.path ?? null, extensions: { code, ...extensions } });
  // From the nodes they would be counted again, from the beginning of the document.
  return at?.locations ? Object.assign(error, { locations: at.locations }) : error;
}

/** graphql-js quotes the values that it refuses, however long they are, some of them twice. */
const MAX_MESSAGE_LENGTH = 1000;

function shortened(message: string): string {
  return message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH).toWellFormed()}…` : message;
}

/** An operation that is refused for a while: its user's allowance is used up, or there is another limit, which `message` names. */
export function rateLimited(
  retryAfterMs: number,
  message: string = ERROR_CATALOGUE.RATE_LIMITED.message,
): GraphQLError {
  return clientError("RATE_LIMITED", message, undefined, { retryAfterMs });
}

/** Codes of Yoga's own refusals, in the catalogue's terms. */
const YOGA_CODES: ReadonlyMap<unknown, ErrorCode> = new Map([
  ["BAD_REQUEST", "BAD_USER_INPUT"],
  ["OPERATION_RESOLUTION_FAILURE", "GRAPHQL_VALIDATION_FAILED"],
  ["REQUEST_ENTITY_TOO_LARGE", "OPERATION_LIMIT"],
]);

/**
 * Whether graphql-js or Yoga say this of the request. What graphql-js says of a wrong variable or argument has that place with it;
 * what it says of a resolver's value has none.
 */
function isOfRequest({ originalError, nodes }: GraphQLError): boolean {
  if (!originalError || nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION) return true;
  return originalError instanceof GraphQLError && originalError.nodes !== undefined;
}

/** What graphql-js and Yoga themselves say of a request: its variables, its method, its size. */
export function requestError(error: GraphQLError): GraphQLError {
  const code = YOGA_CODES.get(error.extensions["code"]) ?? "BAD_USER_INPUT";
  const argument = variableName(error.nodes?.[0]);
  const { http } = error.extensions;
  return clientError(code, error.message, error, {
    ...(argument === undefined ? {} : { argument }),
    // Yoga's `spec` spares clients that ask for application/json the status; the specification does that for documents alone.
    ...(typeof http === "object" ? { http: { ...http, spec: false } } : {}),
  });
}

function variableName(node: ASTNode | undefined): string | undefined {
  if (node?.kind === Kind.VARIABLE_DEFINITION) return node.variable.name.value;
  return node?.kind === Kind.VARIABLE ? node.name.value : undefined;
}

function report(error: GatewayError, { requestId, log }: ErrorContext): void {
  const entry = { requestId, code: error.code, err: error.cause ?? error };
  if (error.code === "INTERNAL_SERVER_ERROR") log.error(entry, "an operation failed");
  else log.warn(entry, "the REST API failed an operation");
}
