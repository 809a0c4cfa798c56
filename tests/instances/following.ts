/** Subscriptions of returning clients whose beginning a test can wait for. */
import { expect } from "vitest";
import { MESSAGES, visit, type Visit } from "../support/returning-client.ts";
import type { RawOperation } from "../support/graphql-socket.ts";
import { Transcript } from "../support/transcript.ts";
import { PATIENTLY } from "./members.ts";

/** A connection that is told the states of its subscriptions. */
export function comeTo(wsUrl: string, token: string, params: Readonly<Record<string, unknown>> = {}): Promise<Visit> {
  return visit(wsUrl, token, { connectionParams: { ...params, streamStates: true } });
}

/** Subscribes, without waiting for anything. */
export function begin({ socket }: Visit, id: string, operation: RawOperation = { query: MESSAGES }): Transcript {
  const results = socket.start(operation, id);
  const transcript = Transcript.of(results, contentOf);
  results.ended.then(
    (errors) => transcript.end(errors),
    () => undefined,
  );
  return transcript;
}

/** Subscribes. Resolves when everything that was missed has been written, or the subscription has ended. */
export async function follow(client: Visit, id: string, operation?: RawOperation): Promise<Transcript> {
  const before = liveStates(client, id);
  const transcript = begin(client, id, operation);
  await expect.poll(() => transcript.ended !== undefined || liveStates(client, id) > before, PATIENTLY).toBe(true);
  return transcript;
}

/** How often the client was told that it receives everything. */
export function liveStates({ socket }: Visit, id: string): number {
  return socket.messages.filter((text) => {
    const { type, payload } = JSON.parse(text) as {
      type: string;
      payload?: { subscription?: Record<string, unknown> };
    };
    return type === "ping" && payload?.subscription?.["id"] === id && payload.subscription["state"] === "live";
  }).length;
}

function contentOf(payload: string): string {
  return (JSON.parse(payload) as { data: { messageAdded: { content: string } } }).data.messageAdded.content;
}
