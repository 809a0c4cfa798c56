/** Why an operation failed. */
export class Failure extends Error {
  /** The gateway's `extensions.code`; undefined where the connection was given up. */
  declare readonly code: string | undefined;
  /** When to try again, if the gateway said so. */
  declare readonly retryAfterMs: number | undefined;

  /** @param cause the gateway's errors; anything else is the end of a connection. */
  constructor(cause?: unknown) {
    const error = (cause as readonly GatewayError[] | undefined)?.[0];
    super(error?.message, { cause });
    Object.assign(this, error?.extensions);
  }

  /** Whether another attempt may succeed. */
  get isPassing(): boolean {
    // `UPSTREAM_…`, `RATE_LIMITED`, and `UNAUTHENTICATED`, after which the connection gets another token; or `undefined`.
    return /^[RUu]/.test(this.code as string);
  }
}

interface GatewayError {
  readonly message: string;
  readonly extensions?: { readonly code?: string; readonly retryAfterMs?: number };
}
