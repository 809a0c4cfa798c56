/** DNS rebinding: a page whose own name is made to resolve to the gateway has the gateway's own origin. */
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { startDiscreetGateway } from "../support/discreet.ts";
import { openAcknowledged, upgradeStatus } from "../support/raw-socket.ts";
import { rawConnection } from "../support/tcp.ts";

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

/** Unlike `fetch` it sends the Host that it is given. */
async function ask(url: string, headers: Readonly<Record<string, string>>, body?: string): Promise<Answer> {
  const request = httpRequest(url, { method: body === undefined ? "GET" : "POST", headers });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

const REBOUND = { host: "evil.example:8080", origin: "http://evil.example:8080" };

test("a request for another host is refused with 421 on HTTP, SSE and WebSocket alike", async () => {
  await using gateway = await startDiscreetGateway({ ALLOWED_HOSTS: "chat.example.com, 127.0.0.1, localhost" });
  const [alice] = gateway.api.users;
  await using control = await openAcknowledged(gateway.wsUrl, alice?.token);
  const json = { "content-type": "application/json", authorization: `Bearer ${alice?.token}` };
  const query = JSON.stringify({ query: "{ me { id } }" });
  const subscription = JSON.stringify({ query: "subscription { messageAdded { id } }" });
  const accept = "text/event-stream";
  const before = gateway.api.faults.requests.count({});
  expect((await ask(gateway.url, { ...json, ...REBOUND }, query)).status).toBe(421);
  expect((await ask(`${gateway.url}?query=%7Bme%7Bid%7D%7D`, { ...json, ...REBOUND })).status).toBe(421);
  expect((await ask(gateway.url, { ...json, ...REBOUND, accept }, subscription)).status).toBe(421);
  expect((await ask(gateway.url, { ...REBOUND, accept: "text/html" })).status).toBe(421);
  expect(await upgradeStatus(gateway.wsUrl, { headers: REBOUND })).toBe(421);
  expect(gateway.api.faults.requests.count({})).toBe(before);
  expect(JSON.parse((await ask(gateway.url, { ...json, host: "Chat.example.com:443" }, query)).body)).toEqual({
    data: { me: { id: alice?.id } },
  });
  expect(await upgradeStatus(gateway.wsUrl, { headers: { host: "chat.example.com" } })).toBe(101);
  control.send({ type: "ping" });
  expect(await control.next()).toEqual({ type: "pong" });
  const warnings = gateway.logged.filter(({ level }) => Number(level) >= 40);
  expect(warnings.map((line) => line["host"])).toEqual([REBOUND.host]);
  expect(String(warnings[0]?.["msg"])).toContain("ALLOWED_HOSTS");
});

test("without a list a rebound page is let in, since its origin is the gateway's own", async () => {
  await using gateway = await startDiscreetGateway();
  expect(await upgradeStatus(gateway.wsUrl, { headers: REBOUND })).toBe(101);
});

test("a request without a host is refused where hosts are listed", async () => {
  await using gateway = await startDiscreetGateway({ ALLOWED_HOSTS: "chat.example.com" });
  await using connection = await rawConnection(gateway.url);
  connection.send("GET /graphql?query={me{id}} HTTP/1.0\r\n\r\n");
  expect(await connection.received).toMatch(/^HTTP\/1\.1 421 /);
});

test("health checks and the backend come by any host", async () => {
  await using gateway = await startDiscreetGateway({ ALLOWED_HOSTS: "chat.example.com" });
  const statuses = ["/health", "/ready", "/events", "/"].map(async (path) => {
    const { status } = await ask(new URL(path, gateway.url).href, { host: "10.0.0.7:8080" });
    return status;
  });
  expect(await Promise.all(statuses)).toEqual([200, 200, 404, 421]);
});
