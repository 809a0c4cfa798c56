/** Which pages may talk to the gateway: one table for the WebSocket upgrade, the preflight and the request itself. */
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { postOperation } from "../support/http.ts";
import { openAcknowledged, openRaw, upgradeStatus } from "../support/raw-socket.ts";

const CONFIG = parseConfig({});
const LISTED = "https://chat.example.com, http://localhost:5173";

type Row = readonly [what: string, allowed: string, origin: string | ((own: URL) => string) | undefined, ok: boolean];

const ROWS: readonly Row[] = [
  ["an origin on the list", LISTED, "https://chat.example.com", true],
  ["another on the list", LISTED, "http://localhost:5173", true],
  ["the gateway's own origin", LISTED, (own) => own.origin, true],
  ["the gateway's own origin behind TLS", LISTED, (own) => `https://${own.host}`, true],
  ["an app's own scheme on the list", "capacitor://localhost, ionic://localhost", "capacitor://localhost", true],
  ["no origin", LISTED, undefined, true],
  ["any origin where all are allowed", "*", "https://anywhere.example", true],
  ["an opaque origin where all are allowed", "*", "null", true],
  ["a foreign origin", LISTED, "https://evil.example", false],
  ["an origin that begins like one on the list", LISTED, "https://chat.example.com.evil.example", false],
  ["an origin that ends like one on the list", LISTED, "https://evil-chat.example.com", false],
  ["another scheme", LISTED, "http://chat.example.com", false],
  ["another port", LISTED, "https://chat.example.com:8443", false],
  ["another port of the gateway's host", LISTED, (own) => `http://${own.hostname}:1`, false],
  ["an opaque origin, as a sandboxed frame has", LISTED, "null", false],
  ["an empty origin", LISTED, "", false],
  ["something that is no origin", LISTED, "chat.example.com", false],
  ["two origins in one", LISTED, "https://chat.example.com https://evil.example", false],
];

/** The origin's header, as it is for a gateway at `url`. */
function originHeader(origin: Row[2], url: string): Record<string, string> {
  const value = typeof origin === "function" ? origin(new URL(url)) : origin;
  return value === undefined ? {} : { origin: value };
}

describe.each(ROWS)("%s", (_what, allowed, origin, ok) => {
  test(`is ${ok ? "let in" : "refused with 403 before the upgrade"}`, async () => {
    await using gateway = await startDiscreetGateway({ CORS_ORIGIN: allowed });
    const headers = originHeader(origin, gateway.url);
    await using control = await openAcknowledged(gateway.wsUrl, gateway.api.users[0]?.token);
    expect(await upgradeStatus(gateway.wsUrl, { headers })).toBe(ok ? 101 : 403);
    control.send({ type: "ping" });
    expect(await control.next()).toEqual({ type: "pong" });
  });

  test(`is told ${ok ? "so" : "nothing"} by a preflight`, async () => {
    await using gateway = await startDiscreetGateway({ CORS_ORIGIN: allowed });
    const headers = originHeader(origin, gateway.url);
    const { status, headers: answer } = await fetch(gateway.url, {
      method: "OPTIONS",
      headers: {
        ...headers,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    expect(status).toBe(204);
    const told = ok && headers["origin"] !== undefined;
    expect(answer.get("access-control-allow-origin")).toBe(told ? headers["origin"] : null);
    expect(answer.get("access-control-allow-methods")).toBe(told ? "GET, POST" : null);
    expect(answer.get("access-control-allow-headers")).toBe(told ? CONFIG.CORS_ALLOWED_HEADERS.join(", ") : null);
    expect(answer.get("access-control-allow-credentials")).toBeNull();
  });

  test(`may ${ok ? "" : "not "}read an answer`, async () => {
    await using gateway = await startDiscreetGateway({ CORS_ORIGIN: allowed });
    const headers = originHeader(origin, gateway.url);
    const token = gateway.api.users[0]?.token;
    const answer = (await postOperation(gateway.url, { query: "{ me { id } }" }, token, headers)).headers;
    const readable = ok && headers["origin"] !== undefined;
    expect(answer.get("access-control-allow-origin")).toBe(readable ? headers["origin"] : null);
    // What is cached for one origin is not shown to another.
    expect(answer.get("vary")).toBe(readable ? "Origin" : null);
    expect(answer.get("access-control-allow-credentials")).toBeNull();
  });
});

test.each(["/", "/graphql/", "/graphqls", "/other", "/graphql/../x", "//graphql"])(
  "an upgrade at %s is refused with 404",
  async (path) => {
    await using gateway = await startDiscreetGateway();
    const base = gateway.wsUrl.replace(/\/graphql$/, "");
    expect(await upgradeStatus(`${base}${path}`)).toBe(404);
    await using raw = await openRaw(`${gateway.wsUrl}?with=a&query`);
    raw.send({ type: "ping" });
    expect(await raw.next()).toEqual({ type: "pong" });
  },
);
