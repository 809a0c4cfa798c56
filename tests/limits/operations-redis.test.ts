/** RATE_LIMIT_OPERATIONS over several instances, and where Redis does not answer. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEMO_USERS } from "../../src/dev/seed.ts";
import { connect, type TestClient } from "../support/client.ts";
import { refusal } from "../support/errors.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { codesOf, postOperation } from "../support/http.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";

const [alice, bob] = DEMO_USERS;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

/** How many scripts Redis has run. */
async function scripts(): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.control.info("commandstats"))?.[1] ?? 0);
}

/** Whether an operation is done; false where it is refused for the limit. */
async function isDone(client: TestClient | undefined): Promise<boolean> {
  const outcome = client?.run(MeDocument) ?? Promise.resolve();
  if (
    await outcome.then(
      () => true,
      () => false,
    )
  )
    return true;
  expect(await refusal(outcome)).toMatchObject({ code: "RATE_LIMITED" });
  return false;
}

/** Two instances that are one. */
async function startPair(stack: AsyncDisposableStack, rate: string): Promise<readonly [TestGateway, TestGateway]> {
  const shared = {
    REDIS_URL: redis.url,
    REDIS_PREFIX: `${randomUUID()}:`,
    RATE_LIMIT_OPERATIONS: rate,
    // Their heartbeats, which are scripts too, are rare.
    PRESENCE_TTL: "3600000",
  };
  const one = stack.use(await startGateway(shared));
  return [one, stack.use(await startGateway({ ...shared, HTTP_API_URL: one.api.url }))];
}

test("a user's operations are counted over all instances", async () => {
  await using stack = new AsyncDisposableStack();
  const gateways = await startPair(stack, "4/1m");
  const [here, there] = gateways.map(({ wsUrl }) => stack.use(connect(wsUrl, alice.token)));
  for (const client of [here, there, here, there]) await client?.run(MeDocument);
  for (const client of [here, there]) {
    expect(await refusal(client?.run(MeDocument) ?? Promise.resolve())).toMatchObject({ code: "RATE_LIMITED" });
  }
  await using other = connect(gateways[1].wsUrl, bob.token);
  expect((await other.run(MeDocument)).me.id).toBe(bob.id);
});

test("of a large allowance each instance takes a little in advance, and together they use no more than all of it", async () => {
  await using stack = new AsyncDisposableStack();
  const gateways = await startPair(stack, "300/1m");
  const clients = gateways.map(({ wsUrl }) => stack.use(connect(wsUrl, alice.token)));
  const before = await scripts();
  let done = 0;
  for (let n = 0; n < 340; n++) if (await isDone(clients[n % 7 < 2 ? 0 : 1])) done++;
  expect(done).toBeLessThanOrEqual(300);
  expect(done).toBeGreaterThanOrEqual(297);
  // One for four operations, but near the end.
  expect((await scripts()) - before).toBeLessThan(150);
});

test("who is over the limit is refused without asking Redis", async () => {
  await using stack = new AsyncDisposableStack();
  const [gateway] = await startPair(stack, "20/1m");
  const client = stack.use(connect(gateway.wsUrl, alice.token));
  for (let count = 0; count < 20; count++) await client.run(MeDocument);
  const before = await scripts();
  for (let count = 0; count < 15; count++) {
    expect(await refusal(client.run(MeDocument))).toMatchObject({ code: "RATE_LIMITED" });
  }
  expect((await scripts()) - before).toBeLessThan(15);
});

test("while Redis holds still or is gone operations run in their order, and each instance counts alone", async () => {
  await using stack = new AsyncDisposableStack();
  const [gateway] = await startPair(stack, "20/1m");
  const client = stack.use(connect(gateway.wsUrl, alice.token));
  await client.run(MeDocument);
  redis.pause();
  const order: number[] = [];
  const asked = Array.from({ length: 5 }, async (_, index) => {
    await client.run(MeDocument);
    order.push(index);
  });
  await Promise.all(asked);
  expect(order).toEqual([0, 1, 2, 3, 4]);
  await redis.kill();
  for (let count = 0; count < 14; count++) await client.run(MeDocument);
  // Twenty, of which the very first was counted by Redis where that was in time.
  await eventually(async () => expect(await refusal(client.run(MeDocument))).toMatchObject({ code: "RATE_LIMITED" }));
  await redis.restart();
  await expect.poll(async () => (await fetch(new URL("/ready", gateway.url))).status).toBe(200);
  // The first operation after that finds out that Redis counts again.
  await expect.poll(async () => (await client.run(MeDocument).catch(() => undefined))?.me.id).toBe(alice.id);
});

test("over HTTP a refusal of before Redis came back has status 429, although Redis counts anew", async () => {
  await using stack = new AsyncDisposableStack();
  const [gateway] = await startPair(stack, "20/1m");
  const ask = () => postOperation(gateway.url, { query: "{ me { id } }" }, alice.token);
  await redis.kill();
  for (let count = 0; count < 20; count++) expect((await ask()).status).toBe(200);
  expect((await ask()).status).toBe(429);
  await redis.restart();
  await expect.poll(async () => (await fetch(new URL("/ready", gateway.url))).status).toBe(200);
  const { status, headers, errors } = await ask();
  expect([status, ...codesOf(errors)]).toEqual([429, "RATE_LIMITED"]);
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
});
