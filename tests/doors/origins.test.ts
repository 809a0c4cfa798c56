/** Origins and hosts are compared by what they name, not by how they are written. */
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { RequestPolicy } from "../../src/server/http/request-policy.ts";
import { startDiscreetGateway } from "../support/discreet.ts";
import { postOperation } from "../support/http.ts";
import { openAcknowledged, upgradeStatus } from "../support/raw-socket.ts";
import { silentLog } from "../support/silent-log.ts";

const ME = { query: "{ me { id } }" };

function policy(environment: Readonly<Record<string, string>>): RequestPolicy {
  return new RequestPolicy(parseConfig(environment), silentLog());
}

describe("the gateway's own origin", () => {
  test.each([
    ["https://chat.example.com", "chat.example.com", true],
    ["https://chat.example.com", "chat.example.com:443", true],
    ["http://chat.example.com", "chat.example.com:80", true],
    ["https://chat.example.com:443", "chat.example.com", true],
    ["https://chat.example.com", "Chat.Example.COM", true],
    ["HTTPS://Chat.example.com", "chat.example.com", true],
    ["https://chat.example.com.", "chat.example.com", true],
    ["https://chat.example.com", "chat.example.com.:443", true],
    ["https://chat.example.com:8443", "chat.example.com:8443", true],
    ["https://chat.example.com:8443", "chat.example.com:08443", true],
    ["http://[::1]:8080", "[::1]:8080", true],
    ["http://[::1]:8080", "[0:0:0:0:0:0:0:1]:8080", true],
    ["http://[::1]", "[::1]:80", true],
    ["https://chat.example.com", "chat.example.com:80", false],
    ["https://chat.example.com", "chat.example.com:8443", false],
    ["http://chat.example.com", "chat.example.com:443", false],
    ["https://evil.example", "chat.example.com", false],
    ["https://chat.example.com.evil.example", "chat.example.com", false],
    ["https://chat.example.com..", "chat.example.com", false],
    ["http://[::2]:8080", "[::1]:8080", false],
    ["null", "chat.example.com", false],
    ["capacitor://localhost", "localhost", false],
    ["file://", "", false],
    ["wss://chat.example.com", "chat.example.com", false],
    ["https://chat.example.com/", "chat.example.com", false],
    ["https://u@chat.example.com", "chat.example.com", false],
    ["https://chat.example.com", "user@chat.example.com", false],
    ["https://chat.example.com", "chat.example.com/", false],
    ["https://chat.example.com", "", false],
    ["", "", false],
  ])("%s at %s: %s", (origin, host, expected) => {
    expect(policy({ CORS_ORIGIN: "https://listed.example" }).allowsOrigin({ origin, host })).toBe(expected);
  });
});

describe("an origin on the list", () => {
  test.each([
    ["https://a.example", "https://a.example", true],
    ["https://a.example", "https://a.example:443", true],
    ["https://A.example:443", "https://a.example", true],
    ["https://a.example", "https://a.example.", true],
    ["http://[0:0::1]:3000", "http://[::1]:3000", true],
    ["capacitor://localhost", "capacitor://localhost", true],
    ["ionic://localhost", "ionic://localhost", true],
    ["tauri://localhost", "tauri://localhost", true],
    ["http://tauri.localhost", "http://tauri.localhost", true],
    ["file://", "file://", true],
    ["null", "null", true],
    ["*", "null", true],
    ["capacitor://localhost", "ionic://localhost", false],
    ["capacitor://localhost", "http://localhost", false],
    ["https://a.example", "http://a.example", false],
    ["https://a.example", "https://a.example:8443", false],
    ["https://a.example", "null", false],
  ])("%s lets %s in: %s", (listed, origin, expected) => {
    expect(policy({ CORS_ORIGIN: listed }).allowsOrigin({ origin, host: "own.example" })).toBe(expected);
  });
});

describe("ALLOWED_HOSTS", () => {
  test.each([
    ["chat.example.com", "chat.example.com", true],
    ["chat.example.com", "Chat.Example.com.", true],
    ["chat.example.com", "chat.example.com:8443", true],
    ["chat.example.com:8443", "chat.example.com:8443", true],
    ["a.example, [::1]:80", "[0::1]:80", true],
    ["127.0.0.1", "127.0.0.1:1", true],
    ["chat.example.com:8443", "chat.example.com", false],
    ["chat.example.com:8443", "chat.example.com:443", false],
    ["chat.example.com", "evil.example", false],
    ["chat.example.com", "chat.example.com.evil.example", false],
    ["chat.example.com", "evil.example@chat.example.com", false],
    ["chat.example.com", undefined, false],
    ["chat.example.com", "", false],
  ])("%s lets %s in: %s", (listed, host, expected) => {
    expect(policy({ ALLOWED_HOSTS: listed }).allowsHost(host === undefined ? {} : { host })).toBe(expected);
  });

  test("unset lets every host in", () => {
    expect([policy({}).allowsHost({ host: "evil.example" }), policy({}).allowsHost({})]).toEqual([true, true]);
  });
});

test("a refused origin is logged once, with the variable to set", async () => {
  await using gateway = await startDiscreetGateway({ CORS_ORIGIN: "https://chat.example.com" });
  const token = gateway.api.users[0]?.token;
  const origin = "https://Other.example";
  for (let count = 0; count < 3; count++) {
    expect(await upgradeStatus(gateway.wsUrl, { headers: { origin } })).toBe(403);
    await postOperation(gateway.url, ME, token, { origin });
  }
  await postOperation(gateway.url, ME, token, { origin: "null" });
  const warnings = gateway.logged.filter(({ level }) => Number(level) >= 40);
  expect(warnings.map((line) => line["origin"])).toEqual([origin, "null"]);
  expect(String(warnings[0]?.["msg"])).toContain("CORS_ORIGIN");
});

test("origins that nobody has seen before do not fill the log", async () => {
  await using gateway = await startDiscreetGateway();
  await using control = await openAcknowledged(gateway.wsUrl, gateway.api.users[0]?.token);
  const requests = Array.from({ length: 150 }, (_, index) =>
    fetch(gateway.url, { method: "OPTIONS", headers: { origin: `https://${index}.example` } }),
  );
  expect(new Set((await Promise.all(requests)).map(({ status }) => status))).toEqual(new Set([204]));
  expect(gateway.logged.filter(({ level }) => Number(level) >= 40)).toHaveLength(100);
  control.send({ type: "ping" });
  expect(await control.next()).toEqual({ type: "pong" });
});
