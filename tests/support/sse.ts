/** Typed subscriptions over SSE, in the "distinct connections" mode: one request a subscription. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { openEventStream as openStream, type StreamResult } from "./http.ts";

/** What came over one stream, which is left when disposed. */
export interface EventStream<Data> extends AsyncDisposable {
  /** The next result. Rejects where the stream has ended. */
  next(): Promise<StreamResult<Data>>;
  /** Resolves when the server completes the stream; rejects where a result comes instead, or it just breaks off. */
  readonly completed: Promise<void>;
  /** Resolves when the stream ends without a word; rejects where something comes instead. */
  readonly ended: Promise<void>;
}

/** Resolves when the server has answered the request with its headers. */
export async function openEventStream<Data, Variables extends Record<string, unknown>>(
  url: string,
  token: string | undefined,
  document: TypedDocumentNode<Data, Variables>,
  variables?: Variables,
): Promise<EventStream<Data>> {
  const stream = await openStream<Data>(url, { query: print(document), ...(variables && { variables }) }, token);
  return {
    next: () => stream.next(),
    get completed() {
      return stream.completed();
    },
    get ended() {
      return stream.ended();
    },
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}
