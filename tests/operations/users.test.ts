import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { ChatsDocument, MeDocument, MessageAddedDocument } from "../support/generated/graphql.ts";
import { openEventStream } from "../support/http.ts";
import { startRedis } from "../support/redis.ts";

const TOKEN = "a-token-for-operators";
const ADMIN = { ADMIN_PORT: "0", ADMIN_TOKEN: TOKEN };

interface Report {
  readonly connections: readonly Record<string, unknown>[];
  readonly unanswered: readonly string[];
  readonly isPublished?: boolean;
}

async function operate(gateway: TestGateway, path: string, method = "GET"): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${TOKEN}`, accept: "application/json" };
  const response = await fetch(new URL(path, gateway.adminUrl), { method, headers });
  return { status: response.status, body: await response.json() };
}

test("a user's connections are shown and ended on every instance, and nobody else's", async () => {
  await using redis = await startRedis();
  const onRedis = { REDIS_URL: redis.url, REDIS_PREFIX: `${randomUUID()}:` };
  await using one = await startGateway({ ...ADMIN, ...onRedis });
  await using two = await startGateway({ ...ADMIN, ...onRedis, HTTP_API_URL: one.api.url });
  const [alice, bob] = one.api.users;
  const id = encodeURIComponent(alice?.id ?? "");
  const chatId = one.api.demoChatId;
  await using here = connect(one.wsUrl, alice?.token);
  await using there = connect(two.wsUrl, alice?.token);
  await using other = connect(two.wsUrl, bob?.token);
  here.subscribe(MessageAddedDocument, { chatId });
  await using sse = await openEventStream(two.url, { query: "subscription { messageAdded { id } }" }, alice?.token);
  for (const client of [here, there, other]) await client.run(ChatsDocument);
  await expect
    .poll(async () => ((await operate(one, "/status")).body as { instances: unknown[] }).instances.length)
    .toBe(2);

  const { status, body } = await operate(one, `/users/${id}`);
  expect(status).toBe(200);
  const { connections, unanswered } = body as Report;
  expect(unanswered).toEqual([]);
  expect(connections.map(({ transport, subscriptions }) => [transport, subscriptions])).toEqual(
    expect.arrayContaining([
      ["websocket", [{ event: "message.created", chatId }]],
      ["websocket", []],
      ["sse", [{ event: "message.created", chatId: null }]],
    ]),
  );
  expect(connections).toHaveLength(3);
  expect(new Set(connections.map(({ instance }) => instance)).size).toBe(2);
  expect(connections[0]).toMatchObject({ connectionId: expect.any(String), delivered: 0, isLagging: false });
  expect((await operate(one, "/users/nobody%2Fat%20all")).body).toEqual({
    userId: "nobody/at all",
    connections: [],
    unanswered: [],
  });

  const ended = await operate(one, `/users/${id}`, "DELETE");
  expect(ended).toMatchObject({ status: 200, body: { isPublished: true } });
  expect((ended.body as Report).connections).toHaveLength(3);
  for (const client of [here, there]) expect(await client.closed).toEqual({ code: 4403, reason: "Signed out" });
  expect(await sse.next()).toMatchObject({ errors: [{ message: "You have been signed out." }] });
  await sse.completed();
  expect(await other.run(MeDocument)).toMatchObject({ me: { id: bob?.id } });
});

test("while Redis is gone a sign-out ends the sessions of this instance at once, and says that the others follow", async () => {
  await using redis = await startRedis();
  await using gateway = await startGateway({ ...ADMIN, REDIS_URL: redis.url, REDIS_PREFIX: `${randomUUID()}:` });
  const [alice] = gateway.api.users;
  await using client = connect(gateway.wsUrl, alice?.token);
  await client.run(MeDocument);
  await redis.kill();
  await expect.poll(async () => (await fetch(new URL("/ready", gateway.adminUrl))).status).toBe(503);
  const { status, body } = await operate(gateway, `/users/${encodeURIComponent(alice?.id ?? "")}`, "DELETE");
  expect([status, (body as Report).isPublished]).toEqual([202, false]);
  expect(await client.closed).toEqual({ code: 4403, reason: "Signed out" });
});
