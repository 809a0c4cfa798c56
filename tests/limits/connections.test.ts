/** MAX_CONNECTIONS and its like: how many connections one user, or one address, may have. */
import { expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, PERSISTENT } from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { openEventStream, postOperation } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";
import { openAcknowledged, openRaw } from "../support/raw-socket.ts";

const [alice, bob] = DEMO_USERS;
const STREAM = { query: "subscription { messageAdded { id } }" };
const SSE = { accept: "text/event-stream" };

interface RefusedStream {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

async function refusedStream(url: string, token: string, headers = {}): Promise<RefusedStream> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...SSE, ...headers, "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(STREAM),
  });
  return { status: response.status, retryAfter: response.headers.get("retry-after"), text: await response.text() };
}

test("a user has so many connections, WebSocket and SSE together, whatever their tokens", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS_PER_USER: "2" });
  await using control = connect(gateway.wsUrl, bob.token);
  const first = await openAcknowledged(gateway.wsUrl, alice.token);
  await using stream = await openEventStream(gateway.url, STREAM, gateway.api.data.issueToken(alice.id));
  expect(stream.response.status).toBe(200);
  const asked = gateway.api.faults.requests.count({ path: "/chats" });
  await using third = connect(gateway.wsUrl, gateway.api.data.issueToken(alice.id));
  expect(await third.closed).toEqual({ code: 1013, reason: "Too many connections of this user" });
  const refused = await refusedStream(gateway.url, alice.token);
  expect(refused).toMatchObject({ status: 503, retryAfter: "5" });
  expect(refused.text).toContain(
    '"Too many connections of this user","extensions":{"code":"RATE_LIMITED","retryAfterMs":5000}',
  );
  expect(gateway.api.faults.requests.count({ path: "/chats" })).toBe(asked);
  // Queries need no connection, and others are not affected.
  expect((await postOperation(gateway.url, { query: "{ me { id } }" }, alice.token)).status).toBe(200);
  expect((await control.run(MeDocument)).me.id).toBe(bob.id);
  await first[Symbol.asyncDispose]();
  await using again = connect(gateway.wsUrl, alice.token, PERSISTENT);
  expect((await again.run(MeDocument)).me.id).toBe(alice.id);
});

test.each(["MAX_CONNECTIONS_PER_USER", "MAX_CONNECTIONS_PER_ADDRESS"])("%s is named in the log, once", async (name) => {
  await using gateway = await startGateway({ [name]: "1" });
  await using first = await openAcknowledged(gateway.wsUrl, alice.token);
  for (let attempt = 0; attempt < 3; attempt++) {
    await using refused = connect(gateway.wsUrl, alice.token);
    expect((await refused.closed).code).toBe(1013);
  }
  const lines = gateway.logged.filter(({ msg }) => String(msg).startsWith(`${name} is reached`));
  expect(lines).toMatchObject([{ level: 40, connections: 1 }]);
  expect(lines[0]).toMatchObject(name.endsWith("USER") ? { userId: alice.id } : { address: "127.0.0.1" });
  void first;
});

test("an SSE stream that ends, or is refused, gives its place back", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS_PER_USER: "1" });
  const subscribe = { query: 'subscription { messageAdded(chatId: "nowhere") { id } }' };
  for (let count = 0; count < 3; count++) await postOperation(gateway.url, subscribe, alice.token, SSE).catch(() => {});
  const stream = await openEventStream(gateway.url, STREAM, alice.token);
  stream.abort();
  await using again = connect(gateway.wsUrl, alice.token, PERSISTENT);
  expect((await again.run(MeDocument)).me.id).toBe(alice.id);
});

test("an address has so many connections where that is limited, before and after authentication", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS_PER_ADDRESS: "2", TRUST_PROXY: "1" });
  const from = (address: string) => ({ headers: { "x-forwarded-for": address } });
  await using one = await openRaw(gateway.wsUrl, from("2001:db8::1"));
  await using two = await openAcknowledged(gateway.wsUrl, alice.token, from("2001:db8::2"));
  await using three = await openRaw(gateway.wsUrl, from("2001:db8::ffff:3"));
  expect(await three.closed).toEqual({ code: 1013, reason: "Too many connections from this address" });
  const stream = await refusedStream(gateway.url, alice.token, from("2001:db8::4").headers);
  expect(stream.status).toBe(503);
  await using elsewhere = await openAcknowledged(gateway.wsUrl, bob.token, from("2001:db8:0:1::1"));
  expect([one, two, elsewhere].map(({ socket }) => socket.readyState)).toEqual([1, 1, 1]);
});

test("an address is not limited by default", async () => {
  await using gateway = await startGateway();
  await using stack = new AsyncDisposableStack();
  for (let count = 0; count < 60; count++) stack.use(await openRaw(gateway.wsUrl));
  await using client = connect(gateway.wsUrl, alice.token);
  expect((await client.run(MeDocument)).me.id).toBe(alice.id);
});

test("a gateway that refuses newcomers since many are being authorised is full, and says so once, until there is room", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS: "10", ADMIN_PORT: "0" });
  await using stack = new AsyncDisposableStack();
  const profiles = gateway.api.faults.hold({ path: "/auth/profile" });
  const open = (count: number) =>
    Array.from({ length: count }, () => stack.use(connect(gateway.wsUrl, gateway.api.data.issueToken(alice.id))));
  open(8);
  await profiles.arrived(8);
  const refused = await Promise.all(open(22).map(({ closed }) => closed));
  expect(refused).toEqual(refused.map(() => ({ code: 1013, reason: "Too many connections" })));
  const ready = async (): Promise<number> => (await fetch(new URL("/ready", gateway.url))).status;
  expect(await ready()).toBe(503);
  const metrics = await scrape(gateway.adminUrl ?? "");
  expect(metrics.value("chat_gateway_closes_total", { code: "1013" })).toBe(22);
  expect(metrics.value("chat_gateway_connections_rejected_total", { reason: "full" })).toBe(22);
  profiles.lift();
  await expect.poll(ready).toBe(200);
  const said = gateway.logged
    .map(({ msg }) => String(msg))
    .filter((msg) => msg.includes("room for") || msg.startsWith("full"));
  expect(said).toEqual([expect.stringContaining("full"), "there is room for connections again"]);
});

test("SSE streams fill the gateway as sockets do", async () => {
  await using gateway = await startGateway({ MAX_CONNECTIONS: "2" });
  await using one = await openAcknowledged(gateway.wsUrl, alice.token);
  await using two = await openEventStream(gateway.url, STREAM, alice.token);
  expect([one.socket.readyState, two.response.status]).toEqual([1, 200]);
  const refused = await refusedStream(gateway.url, bob.token);
  expect(refused.status).toBe(503);
  expect(refused.text).toContain('"Too many connections"');
  await using socket = await openRaw(gateway.wsUrl);
  expect(await socket.closed).toEqual({ code: 1013, reason: "Too many connections" });
  expect((await fetch(new URL("/ready", gateway.url))).status).toBe(503);
});
