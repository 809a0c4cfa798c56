import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { startRelay } from "../support/relay.ts";
import { startRedis } from "../support/redis.ts";

const TOKEN = "a-token-for-operators";
const ADMIN = { ADMIN_PORT: "0", ADMIN_TOKEN: TOKEN };

async function ask(gateway: TestGateway, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(path, gateway.adminUrl), init);
}

test("without ADMIN_PORT there is no admin listener, and the public port has no metrics", async () => {
  await using gateway = await startGateway();
  expect(gateway.adminUrl).toBeUndefined();
  for (const path of ["/metrics", "/status", "/users/1"]) {
    expect((await fetch(new URL(path, gateway.url))).status).toBe(404);
  }
});

test("health, readiness and metrics need no token; they are read, and nothing else", async () => {
  await using gateway = await startGateway(ADMIN);
  expect(await (await ask(gateway, "/health")).json()).toEqual({ status: "ok" });
  expect(await (await ask(gateway, "/ready")).json()).toEqual({ status: "ok" });
  expect((await ask(gateway, "/metrics")).headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const openMetrics = await ask(gateway, "/metrics", {
    headers: { accept: "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2" },
  });
  expect(openMetrics.headers.get("content-type")).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
  expect(await openMetrics.text()).toMatch(/\n# EOF\n$/);
  for (const path of ["/health", "/ready", "/metrics"]) {
    expect((await ask(gateway, path, { method: "POST" })).status).toBe(405);
  }
});

test("without the token everything else is refused with 401, whatever is asked for", async () => {
  await using gateway = await startGateway(ADMIN);
  const wrong = [
    "Bearer another",
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Token ${TOKEN}`,
    `Basic ${btoa("operator:another")}`,
  ];
  for (const authorization of [undefined, ...wrong]) {
    const headers = authorization === undefined ? {} : { authorization };
    for (const path of ["/status", "/users/1", "/nothing"]) {
      const refused = await ask(gateway, path, { headers });
      expect([authorization, refused.status]).toEqual([authorization, 401]);
      expect(refused.headers.get("www-authenticate")).toMatch(/Bearer.*Basic realm=/);
    }
    expect((await ask(gateway, "/users/1", { method: "DELETE", headers })).status).toBe(401);
  }
  for (const authorization of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Basic ${btoa(`operator:${TOKEN}`)}`]) {
    expect((await ask(gateway, "/nothing", { headers: { authorization } })).status).toBe(404);
  }
});

test("without ADMIN_TOKEN what needs it is refused to everybody", async () => {
  await using gateway = await startGateway({ ADMIN_PORT: "0" });
  const refused = await ask(gateway, "/status", { headers: { authorization: "Bearer undefined" } });
  expect(refused.status).toBe(403);
  expect(await refused.json()).toEqual({ error: "ADMIN_TOKEN is not set." });
  expect((await ask(gateway, "/metrics")).status).toBe(200);
});

test("a full gateway is not ready, on either port, until somebody leaves", async () => {
  await using gateway = await startGateway({ ...ADMIN, MAX_CONNECTIONS: "1" });
  const only = connect(gateway.wsUrl, gateway.api.users[0]?.token);
  await only.run(MeDocument);
  for (const url of [gateway.adminUrl, gateway.url]) {
    const answer = await fetch(new URL("/ready", url));
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ status: "unavailable", notReady: ["full"] });
  }
  await only.client.dispose();
  await expect.poll(async () => (await ask(gateway, "/ready")).status).toBe(200);
});

test("without Redis the gateway is not ready, on either port", async () => {
  await using redis = await startRedis();
  await using way = await startRelay(redis.url);
  await using gateway = await startGateway({ ...ADMIN, REDIS_URL: way.url });
  await expect.poll(async () => (await ask(gateway, "/ready")).status).toBe(200);
  await redis.kill();
  await expect.poll(async () => (await ask(gateway, "/ready")).status).toBe(503);
  expect(await (await ask(gateway, "/ready")).json()).toEqual({ status: "unavailable", notReady: ["redis"] });
  expect((await ask(gateway, "/health")).status).toBe(200);
});
