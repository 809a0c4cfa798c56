/** Short answers in JSON. */
import type { ServerResponse } from "node:http";

export function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** @param notReady the parts for which the gateway is not ready. */
export function answerReady(response: ServerResponse, notReady: readonly string[]): void {
  if (notReady.length === 0) answer(response, 200, { status: "ok" });
  else answer(response, 503, { status: "unavailable", notReady });
}
