/**
 * The error catalogue: everything that can go wrong for a client, in one table.
 *
 * Domain code throws a {@link GatewayError}; whatever else is thrown is a defect and reaches the client as
 * `INTERNAL_SERVER_ERROR` without a word of what happened.
 */

/** How one code of the catalogue behaves. */
interface ErrorKind {
  /** What the client reads where the thrower gives no sentence of its own. */
  readonly message: string;
  /**
   * Whether the gateway's operator has to know of it. Such an error carries a `requestId`, under which its cause is logged once;
   * the others are the client's own doing and are told to the client alone.
   */
  readonly logged: boolean;
}

export const ERROR_CATALOGUE = {
  UNAUTHENTICATED: { message: "No valid token.", logged: false },
  NOT_PARTICIPANT: { message: "You are not a participant of this chat.", logged: false },
  NOT_FOUND: { message: "There is no such chat or message.", logged: false },
  BAD_USER_INPUT: { message: "An argument is wrong.", logged: false },
  NOT_SUPPORTED: { message: "The chat service does not support this.", logged: false },
  RATE_LIMITED: { message: "Too many requests. Try again later.", logged: false },
  OPERATION_LIMIT: { message: "The operation is over the limits of this server.", logged: false },
  CURSOR_EXPIRED: { message: "The cursor cannot be honoured whole. Load the history again.", logged: false },
  UPSTREAM_UNAVAILABLE: { message: "The chat service is unavailable. Try again later.", logged: true },
  UPSTREAM_TIMEOUT: { message: "The chat service did not answer in time.", logged: true },
  // Stock clients compare these two messages.
  PERSISTED_QUERY_NOT_SUPPORTED: { message: "PersistedQueryNotSupported", logged: false },
  PERSISTED_QUERY_NOT_FOUND: { message: "PersistedQueryNotFound", logged: false },
  INTERNAL_SERVER_ERROR: { message: "Something went wrong.", logged: true },
  GRAPHQL_PARSE_FAILED: { message: "The document is not GraphQL.", logged: false },
  GRAPHQL_VALIDATION_FAILED: { message: "The document does not fit the schema.", logged: false },
} as const satisfies Record<string, ErrorKind>;

/** A code of the catalogue, as clients see it in `extensions.code`. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** What a {@link GatewayError} may say beside its code. All of it but `cause` reaches the client. */
export interface ErrorDetails {
  /** The sentence for the client; the catalogue's where absent. */
  readonly message?: string;
  /** `BAD_USER_INPUT`: the argument that is wrong. */
  readonly argument?: string;
  /** `RATE_LIMITED`, `UNAUTHENTICATED` where the token was not asked about, and `UPSTREAM_UNAVAILABLE` where the REST API said when to come back: milliseconds from now. */
  readonly retryAfterMs?: number;
  /** What happened inside, for the log alone. */
  readonly cause?: unknown;
}

/** An error that a client may see. Its `message` is written for the client; what must not leave the gateway is in `cause`. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly argument: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(
      details.message ?? ERROR_CATALOGUE[code].message,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.argument = details.argument;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Whether `error` is a {@link GatewayError} with one of `codes`. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is GatewayError {
  return error instanceof GatewayError && codes.includes(error.code);
}

/** A `BAD_USER_INPUT` that names the argument. */
export function badInput(argument: string, message: string): GatewayError {
  return new GatewayError("BAD_USER_INPUT", { argument, message });
}
