/** Redis holds still for a moment, under load: connections to it stay open, and several ticks are missed or none. */
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusEvent } from "../../src/chat/events/registry.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { MeDocument } from "../support/generated/graphql.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { openRedisBus } from "./buses.ts";
import { createChat, expectSame, join, PATIENTLY, sayUntil } from "./members.ts";

let server: RedisServer;
let buses: readonly Bus<BusEvent>[];
let gateways: readonly TestGateway[];
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  server = stack.use(await startRedis());
  buses = await Promise.all([1, 2, 3].map(async () => stack.use(await openRedisBus(server.url))));
  const started: TestGateway[] = [];
  for (const bus of buses) {
    const api = started[0] && { HTTP_API_URL: started[0].api.url };
    started.push(stack.use(await startGateway(api, { bus, log: pino({ level: "silent" }) })));
  }
  gateways = started;
});
afterAll(() => stack.disposeAsync());

test.each([800, 2000, 6000])("nothing is lost, repeated or reordered when Redis holds still for %i ms", async (ms) => {
  const [here, there, elsewhere] = gateways as [TestGateway, TestGateway, TestGateway];
  const { chatId, tokens } = createChat(here.api, "Ann", "Ben", "Cleo");
  const [ann = "", ben = "", cleo = ""] = tokens;
  await using one = await join(here, ann, chatId);
  await using other = await join(there, ben, chatId);
  await using third = await join(elsewhere, cleo, chatId);
  const outages = buses.map(({ statistics }) => statistics.outages);
  server.pause();
  // That long is the fault.
  const fault = delay(ms).finally(() => server.resume());
  const said = await Promise.all([
    sayUntil(one, "Ann", fault),
    sayUntil(other, "Ben", fault),
    sayUntil(third, "Cleo", fault),
  ]);
  await fault;
  const after = await sayUntil(third, "after", Promise.resolve(), 3);
  await expectSame([one, other, third], ...said, after);
  // Nothing was given up, whoever was slow.
  expect(buses.map(({ statistics }) => statistics.outages)).toEqual(outages);
  expect(outages).toEqual([0, 0, 0]);
  await expect.poll(() => buses.every(({ isConnected }) => isConnected), PATIENTLY).toBe(true);
  for (const { client } of [one, other, third]) await client.run(MeDocument);
});
