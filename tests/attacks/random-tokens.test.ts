/** Tokens that nobody has issued, in numbers, while the REST API takes its time. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { DEMO_CHATS, DEMO_USERS } from "../../src/dev/seed.ts";
import { connect } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { MeDocument, MessageAddedDocument, SendMessageDocument } from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";
import { openRaw } from "../support/raw-socket.ts";

const [alice, bob, carol] = DEMO_USERS;
const { shop } = DEMO_CHATS;

const PROFILE = { method: "GET", path: "/auth/profile" };
/** How long a token that was refused is not asked about again. */
const MOMENT_MS = 5000;

const ME = { query: "{ me { id } }" };

/** The code with which a WebSocket with a token of nobody's is closed. */
async function tryToken(gateway: TestGateway, token: string, address?: string): Promise<number> {
  const headers = address === undefined ? {} : { "x-forwarded-for": address };
  await using socket = await openRaw(gateway.wsUrl, { headers });
  socket.send({ type: "connection_init", payload: { token } });
  return (await socket.closed).code;
}

test("random tokens over each transport at once are asked about as far as the allowance goes", async () => {
  const limit = 20;
  await using gateway = await startGateway({ RATE_LIMIT_FAILED_AUTH: `${limit}/1m`, TRUST_PROXY: "1" });
  await using listener = connect(gateway.wsUrl, bob.token);
  await using received = listener.subscribe(MessageAddedDocument, { chatId: shop });
  await using control = connect(gateway.wsUrl, alice.token);
  await Promise.all([listener.acknowledged, control.acknowledged]);
  const before = gateway.api.faults.requests.count(PROFILE);
  const attacker = "203.0.113.9";
  using gate = gateway.api.faults.hold({ path: "/auth/profile" });
  const sockets = Array.from({ length: 50 }, () => tryToken(gateway, randomUUID(), attacker));
  const requests = Array.from({ length: 450 }, () =>
    postOperation(gateway.url, ME, randomUUID(), { "x-forwarded-for": attacker }),
  );
  await gate.arrived(1);
  // Known sessions and everybody elsewhere go on meanwhile.
  await control.run(SendMessageDocument, { chatId: shop, content: "hello" });
  expect((await received.next()).messageAdded.content).toBe("hello");
  gate.release();
  expect(new Set(await Promise.all(sockets))).toEqual(new Set([4403]));
  const codes = (await Promise.all(requests)).flatMap(({ errors }) => codesOf(errors));
  expect(codes).toEqual(Array.from({ length: 450 }, () => "UNAUTHENTICATED"));
  expect(gateway.api.faults.requests.count(PROFILE) - before).toBe(limit);
  await using elsewhere = connect(gateway.wsUrl, carol.token);
  expect((await elsewhere.run(MeDocument)).me.id).toBe(carol.id);
});

test("over the allowance a token says when to come back, and known tokens of the address are not affected", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_FAILED_AUTH: "2/1m", ADMIN_PORT: "0" });
  await using running = connect(gateway.wsUrl, bob.token);
  await running.acknowledged;
  expect((await postOperation(gateway.url, ME, alice.token)).errors).toBeUndefined();
  expect(await tryToken(gateway, "nobody-1")).toBe(4403);
  expect(codesOf((await postOperation(gateway.url, ME, "nobody-2")).errors)).toEqual(["UNAUTHENTICATED"]);
  const asked = gateway.api.faults.requests.count({});
  const { errors } = await postOperation(gateway.url, ME, "nobody-3");
  expect(errors?.[0]?.extensions).toMatchObject({ code: "UNAUTHENTICATED", retryAfterMs: expect.any(Number) });
  expect(await tryToken(gateway, "nobody-4")).toBe(4403);
  expect(gateway.api.faults.requests.count({})).toBe(asked);
  const metrics = await scrape(gateway.adminUrl ?? "");
  expect(metrics.value("chat_gateway_rate_limited_total", { limit: "failed_auth" })).toBe(2);
  // With a session, and without one.
  await using again = connect(gateway.wsUrl, bob.token);
  expect((await again.run(MeDocument)).me.id).toBe(bob.id);
  await using known = connect(gateway.wsUrl, alice.token);
  expect((await known.run(MeDocument)).me.id).toBe(alice.id);
});

test("the log has once that an address has used up its allowance", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_FAILED_AUTH: "2/1m" });
  for (let count = 0; count < 6; count++) await postOperation(gateway.url, ME, randomUUID());
  const lines = gateway.logged.filter(({ msg }) => String(msg).startsWith("RATE_LIMIT_FAILED_AUTH is reached"));
  expect(lines).toMatchObject([{ level: 40, source: "address:127.0.0.1" }]);
});

test("a token that was refused is not asked about again for a moment, and does not count twice", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_FAILED_AUTH: "2/1m" });
  const begunAt = performance.now();
  expect(await tryToken(gateway, "nobody")).toBe(4403);
  const again = Array.from({ length: 4 }, () => tryToken(gateway, "nobody"));
  const { errors } = await postOperation(gateway.url, ME, "nobody");
  expect(codesOf(errors)).toEqual(["UNAUTHENTICATED"]);
  expect(await Promise.all(again)).toEqual([4403, 4403, 4403, 4403]);
  const moments = 1 + Math.floor((performance.now() - begunAt) / MOMENT_MS);
  expect(gateway.api.faults.requests.count(PROFILE)).toBeLessThanOrEqual(moments);
  await using client = connect(gateway.wsUrl, alice.token);
  expect((await client.run(MeDocument)).me.id).toBe(alice.id);
});

test("a crowd of good tokens behind one address comes in, however small the allowance", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_FAILED_AUTH: "3/1m" });
  const tokens = Array.from({ length: 40 }, () => gateway.api.data.issueToken(alice.id));
  const results = await Promise.all(tokens.map((token) => postOperation(gateway.url, ME, token)));
  expect(results.map(({ data }) => data)).toEqual(tokens.map(() => ({ me: { id: alice.id } })));
});

test("a REST API that is down uses up nobody's allowance", async () => {
  await using gateway = await startGateway({ RATE_LIMIT_FAILED_AUTH: "2/1m", HTTP_API_RETRIES: "1" });
  const fault = gateway.api.faults.unavailable({ path: "/auth/profile" });
  for (let count = 0; count < 4; count++) expect(await tryToken(gateway, alice.token)).toBe(1013);
  fault.lift();
  await using client = connect(gateway.wsUrl, alice.token);
  expect((await client.run(MeDocument)).me.id).toBe(alice.id);
});
