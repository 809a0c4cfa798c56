import { expect, test } from "vitest";
import { startDiscreetGateway } from "../support/discreet.ts";
import { openEventStream, postOperation } from "../support/http.ts";

const ORIGIN = "https://chat.example.com";

function preflight(url: string): Promise<Response> {
  return fetch(url, {
    method: "OPTIONS",
    headers: { origin: ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "x-tenant" },
  });
}

/** What Apollo Client, urql, graphql-sse and tracing libraries send from a browser. */
const USUAL = [
  "authorization",
  "content-type",
  "accept",
  "cache-control",
  "last-event-id",
  "x-request-id",
  "traceparent",
  "tracestate",
  "apollo-require-preflight",
  "apollographql-client-name",
  "apollographql-client-version",
  "x-apollo-operation-name",
];

test("pages may send the headers of the usual clients, and no others", async () => {
  await using gateway = await startDiscreetGateway({ CORS_ORIGIN: ORIGIN });
  const allowed = (await preflight(gateway.url)).headers.get("access-control-allow-headers")?.split(", ");
  expect(allowed).toEqual(expect.arrayContaining(USUAL));
  expect(allowed).not.toContain("x-tenant");
});

test("pages may send what CORS_ALLOWED_HEADERS lists", async () => {
  const names = "Authorization, content-type,X-Tenant";
  await using gateway = await startDiscreetGateway({ CORS_ORIGIN: ORIGIN, CORS_ALLOWED_HEADERS: names });
  const allowed = (await preflight(gateway.url)).headers.get("access-control-allow-headers");
  expect(allowed).toBe("authorization, content-type, x-tenant");
});

test("no answer is taken for another type, kept in a cache, or shown as a page", async () => {
  await using gateway = await startDiscreetGateway();
  const token = gateway.api.users[0]?.token;
  const stream = await openEventStream(gateway.url, { query: "subscription { messageAdded { id } }" }, token);
  const html = await fetch(gateway.url, { headers: { accept: "text/html" } });
  const page = html.headers.get("content-security-policy");
  expect(page).toContain("script-src 'sha256-");
  const answers = [
    (await postOperation(gateway.url, { query: "{ me { id } }" }, token)).headers,
    (await postOperation(gateway.url, { query: "{" }, token)).headers,
    (await fetch(gateway.url, { method: "POST", body: "query" })).headers,
    (await fetch(new URL("/health", gateway.url))).headers,
    (await fetch(new URL("/nothing", gateway.url))).headers,
    (await fetch(new URL("/events", gateway.url), { method: "POST" })).headers,
  ];
  for (const headers of [...answers, html.headers, stream.response.headers]) {
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  }
  for (const headers of answers) {
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
  }
  expect(stream.response.headers.get("cache-control")).toBe("no-cache");
  await stream[Symbol.asyncDispose]();
});
