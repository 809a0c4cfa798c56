/** Headers of every response: whatever answers may set its own in their place. */
import type { ServerResponse } from "node:http";

const HEADERS: readonly (readonly [name: string, value: string])[] = [
  // A browser takes JSON for nothing else.
  ["x-content-type-options", "nosniff"],
  // What is opened as a page runs nothing, loads nothing, and is shown in no frame.
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["referrer-policy", "no-referrer"],
  // Answers depend on the token.
  ["cache-control", "no-store"],
];

export function setResponseHeaders(response: ServerResponse): void {
  for (const [name, value] of HEADERS) response.setHeader(name, value);
}
