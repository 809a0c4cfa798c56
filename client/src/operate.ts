import type { Client, FormattedExecutionResult, SubscribePayload } from "graphql-ws";
import { backoffMs } from "./backoff.ts";
import { Failure } from "./failure.ts";

export type Variables = Record<string, unknown>;

type Result = FormattedExecutionResult<Record<string, unknown>, unknown>;

/** With a function that fails the operation all the same. */
interface PersistentSink {
  next(result: Result, fail: (cause?: unknown) => void): void;
  complete(fail: (cause?: unknown) => void): void;
  /** Called where it cannot succeed. */
  error(failure: Failure): void;
}

/**
 * Runs an operation over as many connections as it takes, and again where it fails and may succeed.
 *
 * @param payload sent as it is at each connect.
 * @returns ends it.
 */
export function persist(
  client: Client,
  payload: SubscribePayload,
  sink: PersistentSink,
  maySucceed: (failure: Failure) => unknown,
): () => void {
  let failures = 0;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout>;
  let unsubscribe: (() => void) | undefined;
  const fail = (cause?: unknown): void => {
    if (isOver) return;
    const failure = new Failure(cause);
    clearTimeout(timer);
    if (maySucceed(failure)) timer = setTimeout(start, failure.retryAfterMs ?? backoffMs(++failures));
    else {
      isOver = true;
      sink.error(failure);
    }
  };
  const start = (): void => {
    // A client that gave the operation up still counts it.
    unsubscribe?.();
    unsubscribe = client.subscribe(payload, {
      next(result) {
        if (!result.errors) failures = 0;
        sink.next(result, fail);
      },
      error: fail,
      complete: () => sink.complete(fail),
    });
  };
  start();
  return () => {
    isOver = true;
    unsubscribe?.();
    clearTimeout(timer);
  };
}

/**
 * Runs an operation of the kit, and again after errors that may pass.
 *
 * @param next receives the one field that the operation selects.
 * @param ended called where it cannot succeed.
 * @param retryUntil errors count as final from then on, in ms since 1970.
 * @returns ends it.
 */
export function operate<Data>(
  client: Client,
  payload: { readonly query: string; readonly variables: Variables },
  next: (data: Data) => void,
  ended: (failure: Failure) => void,
  retryUntil = Infinity,
): () => void {
  return persist(
    client,
    payload,
    {
      next({ data, errors }, fail) {
        if (errors) fail(errors);
        else next(Object.values(data as object)[0] as Data);
      },
      // A query or mutation has its result by then.
      complete: (fail) => payload.query[0] === "s" && fail(),
      error: ended,
    },
    (failure) =>
      Date.now() < retryUntil &&
      // Without an explicit position a subscription begins with what is new, and says so.
      (failure.isPassing || (failure.code === "CURSOR_EXPIRED" && !payload.variables["after"])),
  );
}
