import { expect, test } from "vitest";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connect } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { rawConnection, rawUpgrade } from "../support/tcp.ts";

const INTROSPECTION = JSON.stringify({ query: "{ __schema { queryType { name } } }" });

test("/health and /ready say ok, / leads to GraphiQL, and what is not there is a 404 in JSON", async () => {
  await using gateway = await startGateway();
  const get = (path: string): Promise<Response> =>
    fetch(`${new URL(gateway.url).origin}${path}`, { redirect: "manual" });
  for (const path of ["/health", "/ready", "/ready?verbose"]) {
    const response = await get(path);
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
    expect(response.headers.get("cache-control")).toBe("no-store");
  }
  const root = await get("/");
  expect([root.status, root.headers.get("location")]).toEqual([302, "/graphql"]);
  for (const path of ["/nothing", "/graphql/", "/graphql/x", "/health/", "//"]) {
    const response = await get(path);
    expect([response.status, response.headers.get("content-type")]).toEqual([404, "application/json"]);
    expect(await response.json()).toEqual({ error: "not found" });
  }
});

test("/ready does not depend on the REST API: an instance without it still serves who is connected", async () => {
  await using gateway = await startGateway();
  gateway.api.faults.down();
  expect((await fetch(new URL("/ready", gateway.url))).status).toBe(200);
});

test.each([
  ["production", { NODE_ENV: "production" }, { page: false, introspection: false }],
  [
    "production that wants both",
    { NODE_ENV: "production", GRAPHIQL: "true", INTROSPECTION: "true" },
    { page: true, introspection: true },
  ],
  ["development", {}, { page: true, introspection: true }],
])("GraphiQL and introspection in %s", async (_case, environment, { page, introspection }) => {
  await using gateway = await startGateway(environment);
  const html = await fetch(gateway.url, { headers: { accept: "text/html" } });
  expect((await html.text()).includes("<html")).toBe(page);
  const root = await fetch(new URL("/", gateway.url), { redirect: "manual" });
  expect(root.status).toBe(page ? 302 : 404);
  const headers = { "content-type": "application/json", authorization: `Bearer ${gateway.api.users[0]?.token}` };
  const answer = await fetch(gateway.url, { method: "POST", headers, body: INTROSPECTION });
  const body = await answer.text();
  expect(body).toContain(introspection ? '"queryType":{"name":"Query"}' : '"code":"GRAPHQL_VALIDATION_FAILED"');
});

test("a refused upgrade costs no connection, even if the client never ends its side", async () => {
  await using gateway = await startGateway();
  await using client = await rawConnection(gateway.url);
  client.send(rawUpgrade("/nowhere"));
  expect(await client.received).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
  // Only who writes to a connection that is gone hears of it.
  const broken = new Promise<Error>((resolve) => client.socket.once("error", resolve));
  while (!client.socket.destroyed) {
    client.send("anybody there?");
    await nextTurn();
  }
  expect(await broken).toMatchObject({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) });
});

test("a full instance is not ready, and says so once, however many connections it refuses", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS: "3" });
  const ready = async (): Promise<unknown[]> => {
    const response = await fetch(new URL("/ready", gateway.url));
    return [response.status, (await response.json()) as unknown];
  };
  await using stack = new AsyncDisposableStack();
  const token = gateway.api.users[0]?.token;
  const clients = Array.from({ length: 3 }, () => stack.use(connect(gateway.wsUrl, token)));
  await Promise.all(clients.map(({ acknowledged }) => acknowledged));
  const refused = Array.from({ length: 9 }, () => stack.use(connect(gateway.wsUrl, token)));
  for (const { closed } of refused) expect(await closed).toMatchObject({ code: 1013 });
  expect(await ready()).toEqual([503, { status: "unavailable", notReady: ["full"] }]);
  await clients[0]?.client.dispose();
  await expect.poll(ready).toEqual([200, { status: "ok" }]);
  const told = gateway.logged.filter(({ connections, level }) => connections !== undefined && level !== 20);
  expect(told.map(({ level, connections }) => [level, connections])).toEqual([
    [40, 3],
    [30, 2],
  ]);
});
