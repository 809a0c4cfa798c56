/** Why an operation failed. */
export class Failure extends Error {
  /** The gateway's `extensions.code`; undefined where the connection was given up. */
  readonly code: string | undefined;
  /** When to try again, if the gateway said so. */
  readonly retryAfterMs: number | undefined;

  /** @param cause the gateway's errors; anything else is the end of a connection. */
  constructor(cause?: unknown) {
    const error = (cause as readonly GatewayError[] | undefined)?.[0];
    super(error?.message);
    this.code = error?.extensions?.code;
    this.retryAfterMs = error?.extensions?.retryAfterMs;
  }
}

interface GatewayError {
  readonly message: string;
  readonly extensions?: { readonly code?: string; readonly retryAfterMs?: number };
}
