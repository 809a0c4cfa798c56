import type { Client } from "graphql-ws";
import { backoffMs } from "./backoff.ts";
import { Failure } from "./failure.ts";

export type Variables = Record<string, unknown>;

/**
 * Runs an operation over as many connections as it takes, and again after errors that may pass.
 *
 * @param payload sent as it is at each connect.
 * @param ended called where it cannot succeed, or with the first error where it is to run but once.
 * @returns ends it.
 */
export function operate<Data>(
  client: Client,
  payload: { readonly query: string; readonly variables: Variables },
  next?: (data: Data) => void,
  ended?: (failure: Failure) => void,
  isOnce = false,
): () => void {
  let failures = 0;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout>;
  let unsubscribe: () => void;
  const fail = (errors?: unknown): void => {
    if (isOver) return;
    const failure = new Failure(errors);
    // Without an explicit position a subscription begins with what is new, and says so.
    if (!isOnce && (failure.isPassing || (failure.code === "CURSOR_EXPIRED" && !payload.variables["after"]))) {
      timer = setTimeout(start, failure.retryAfterMs ?? backoffMs(++failures));
    } else {
      isOver = true;
      ended?.(failure);
    }
  };
  const start = (): void => {
    unsubscribe = client.subscribe<Data>(payload, {
      next({ data, errors }) {
        failures = 0;
        if (errors) fail(errors);
        else next?.(data as Data);
        isOver ||= isOnce;
      },
      error: fail,
      complete: fail,
    });
  };
  start();
  return () => {
    isOver = true;
    clearTimeout(timer);
    unsubscribe();
  };
}
