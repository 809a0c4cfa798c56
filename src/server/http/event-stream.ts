/** The results of a subscription as Server-Sent Events, in the form of graphql-sse's distinct connections. */
import { GraphQLError, type ExecutionResult } from "graphql";
import type { Results } from "../../graphql/result-stream.ts";

/** Proxies close connections on which nothing is sent for long. */
const COMMENT_INTERVAL_MS = 12_000;

export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream",
  connection: "keep-alive",
  "cache-control": "no-cache",
  "content-encoding": "none",
};

const COMMENT = ":\n\n";
const COMPLETE = "event: complete\ndata:\n\n";

/**
 * A body that is written as fast as it is read. An error that ends the subscription is its last result, followed by `complete`: a client
 * does not come back. A stream that ends without one ends with the gateway, and without `complete`, so that clients do come back.
 */
export function eventStream(results: Results): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let timer: NodeJS.Timeout | undefined;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      // Some browsers report a response only when part of its body has arrived.
      controller.enqueue(encoder.encode(COMMENT));
      timer = setInterval(() => {
        // The stream has failed.
        if (controller.desiredSize === null) clearInterval(timer);
        // A client that does not read gets no comments: they would wait in memory.
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(COMMENT));
      }, COMMENT_INTERVAL_MS);
    },
    async pull(controller) {
      const { text, isLast } = await nextOf(results);
      if (text !== "") controller.enqueue(encoder.encode(text));
      if (!isLast) return;
      clearInterval(timer);
      controller.close();
    },
    async cancel() {
      clearInterval(timer);
      await results.return();
    },
  });
}

async function nextOf(results: Results): Promise<{ readonly text: string; readonly isLast: boolean }> {
  try {
    const next = await results.next();
    if (next.done) return { text: "", isLast: true };
    return { text: messageOf(next.value, results.cursor), isLast: false };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return { text: messageOf({ errors: [error] }, undefined) + COMPLETE, isLast: true };
  }
}

/** @param id comes back as `Last-Event-ID` when the client has lost the connection. */
function messageOf(result: ExecutionResult, id: string | undefined): string {
  return `event: next\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(result)}\n\n`;
}
