/** On whose behalf a call is made: it travels beside the call, through everything that is awaited, to the requests that it leads to. */
import { randomUUID } from "node:crypto";
import { AsyncLocalStorage } from "node:async_hooks";

/** What a client's request says of itself. */
export interface ClientOrigin {
  /** The client's own X-Request-Id. */
  readonly requestId: string | undefined;
  /** Of W3C Trace Context: what the call is a part of. */
  readonly traceparent: string | undefined;
  /** The client's address: of the believed ones that a request has come by, the first. */
  readonly address: string | undefined;
  /** The same where it is to be passed on: where TRUST_PROXY says how many proxies are believed. */
  readonly forwardedFor: string | undefined;
}

export interface CallOrigin {
  /** What the log and the errors know the operation by. */
  readonly requestId: string;
  readonly client: ClientOrigin | undefined;
  /** Called at each request to the REST API that is made on its behalf. May not throw. */
  countRequest?(): void;
}

const storage = new AsyncLocalStorage<CallOrigin | undefined>();

/** Runs `work`, and what it goes on to, on behalf of `origin`; of nobody where that is undefined. */
export function onBehalfOf<T>(origin: CallOrigin | undefined, work: () => T): T {
  return storage.run(origin, work);
}

/** On whose behalf this runs. */
export function callOrigin(): CallOrigin | undefined {
  return storage.getStore();
}

/** The same call as a part of a trace: what it leads to is found under the span of this `traceparent`. */
export function inTrace(origin: CallOrigin | undefined, traceparent: string): CallOrigin {
  const { requestId, address, forwardedFor } = origin?.client ?? {};
  return {
    requestId: origin?.requestId ?? randomUUID(),
    client: { requestId, traceparent, address, forwardedFor },
    countRequest: () => origin?.countRequest?.(),
  };
}
