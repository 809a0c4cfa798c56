/** Whose address a request is counted for. */
import { expect, test } from "vitest";
import { networkOf, readAddress } from "../../src/ip-address.ts";
import { clientAddress } from "../../src/server/client-origin.ts";
import { startGateway } from "../support/gateway.ts";
import { postOperation } from "../support/http.ts";
import { upgradeStatus } from "../support/raw-socket.ts";

test.each([
  ["203.0.113.9", "203.0.113.9"],
  [" 203.0.113.9:4711 ", "203.0.113.9"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["::FFFF:cb00:7109", "203.0.113.9"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ['"[2001:db8::1]:443"', "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1"],
  ["::1", "::1"],
  ["unknown", undefined],
  ["_hidden", undefined],
  ["", undefined],
  ["203.0.113.09", undefined],
  ["203.0.113.9.1", undefined],
  ["[::1", undefined],
  ["1.2.3.4:port", undefined],
  ["<script>", undefined],
])("the address %j is %j", (text, address) => {
  expect(readAddress(text)).toBe(address);
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
])("%s belongs to %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test.each<[forwardedFor: string | string[], trustProxy: number, expected: string]>([
  // The client writes what it likes on the left.
  ["6.6.6.6, 1.1.1.1", 1, "1.1.1.1"],
  ["garbage, 1.1.1.1:80", 1, "1.1.1.1"],
  [["6.6.6.6", "1.1.1.1, 2.2.2.2"], 2, "1.1.1.1"],
  // A proxy that does not know, or does not say, its client.
  ["unknown", 1, "9.9.9.9"],
  ["1.1.1.1, unknown", 1, "9.9.9.9"],
  ["unknown, 2.2.2.2", 2, "2.2.2.2"],
  ["[2001:db8::7]:1234", 1, "2001:db8::7"],
])("of %j with %i believed the client is %s", (forwardedFor, trustProxy, expected) => {
  expect(clientAddress(forwardedFor, "::ffff:9.9.9.9", trustProxy)).toBe(expected);
});

test("an X-Forwarded-For that is not believed is logged, once", async () => {
  await using gateway = await startGateway();
  const warnings = (): unknown[] => gateway.logged.filter(({ msg }) => String(msg).includes("TRUST_PROXY"));
  await postOperation(gateway.url, { query: "{ __typename }" }, "token");
  expect(warnings()).toEqual([]);
  const headers = { "x-forwarded-for": "203.0.113.9" };
  await postOperation(gateway.url, { query: "{ __typename }" }, "token", headers);
  await postOperation(gateway.url, { query: "{ __typename }" }, "token", headers);
  await upgradeStatus(gateway.wsUrl, { headers });
  expect(warnings()).toMatchObject([{ level: 40 }]);
});

test("an X-Forwarded-For that is believed is not logged", async () => {
  await using gateway = await startGateway({ TRUST_PROXY: "1" });
  await postOperation(gateway.url, { query: "{ __typename }" }, "token", { "x-forwarded-for": "203.0.113.9" });
  expect(gateway.logged.filter(({ msg }) => String(msg).includes("TRUST_PROXY"))).toEqual([]);
});
